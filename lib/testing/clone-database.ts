/** Databases of tests on a Postgres that already runs, for programs that do not run under vitest too. */
import { randomUUID } from 'node:crypto'
import pg from 'pg'

export const templateName = 'template_migrated'

export type Clone = { url: string; drop(): Promise<void> }

/** A database of its own on this server, cloned in some 30 ms; `drop` removes it, also under open connections. */
export async function cloneDatabase(server: string, template = templateName): Promise<Clone> {
  const name = `test_${randomUUID().replaceAll('-', '')}`
  await onServer(server, `CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY FILE_COPY`)
  return {
    url: databaseUrl(server, name),
    drop: () => onServer(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  }
}

/** The URL of another database on the same server. */
export function databaseUrl(server: string, name: string): string {
  const url = new URL(server)
  url.pathname = `/${name}`
  return url.href
}

export async function onServer(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}
