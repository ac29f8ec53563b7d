import type { TestProject } from 'vitest/node'
import { type EmbeddedPostgres, startEmbedded } from '#lib/db/embedded/index.ts'
import { migrate } from '#lib/db/migrate.ts'
import { databaseUrl, onServer, templateName } from './clone-database.ts'
import { reapedFolder } from './temp-folder.ts'

let postgres: EmbeddedPostgres | undefined

/** The throw-away cluster of a run: in a temporary folder, without fsync, ended and removed with the run. */
export async function setup({ provide }: TestProject): Promise<void> {
  postgres = await startEmbedded({
    folder: reapedFolder('agent-relay-test-', 'data/postmaster.pid'),
    settings: { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off', max_connections: '300' },
  })
  await onServer(postgres.url, `CREATE DATABASE ${templateName}`)
  await migrate(databaseUrl(postgres.url, templateName))
  provide('postgresUrl', postgres.url)
}

export async function teardown(): Promise<void> {
  await postgres?.stop()
}
