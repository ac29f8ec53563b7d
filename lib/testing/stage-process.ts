/**
 * What tests of the daemon need of the control plane's side, for daemon/ and lib/ never import each other: a database, a
 * Postgres that may be stopped, linked machines, a look into mailboxes. Each IPC message `{id, ask, input}` is answered by
 * `{id, value}` or `{id, error}`. Ends, with everything that it made, when its parent does.
 */
import { createDb, type Db } from '#lib/db/client.ts'
import { type EmbeddedPostgres, startEmbedded } from '#lib/db/embedded/index.ts'
import { isAlive } from '#lib/db/embedded/process.ts'
import { migrate } from '#lib/db/migrate.ts'
import type { Ctx, UserActor } from '#lib/services/context.ts'
import { createMachineKey } from '#lib/services/machines/create-machine-key.ts'
import { readMail } from '#lib/services/messages/read-mail.ts'
import { type Clone, cloneDatabase } from './clone-database.ts'
import { contextOf, foundTeam } from './people.ts'
import { reapedFolder } from './temp-folder.ts'

let clone: Clone | undefined
let cluster: EmbeddedPostgres | undefined
let clusterFolder: string | undefined
let db: Db
let owner: Ctx<UserActor>
let org: { id: string; slug: string; name: string }

const startCluster = (folder: string, settings: Record<string, string> = {}): Promise<EmbeddedPostgres> =>
  startEmbedded({ folder, settings: { fsync: 'off', ...settings } })

async function found(url: string): Promise<{ url: string }> {
  db = createDb(url, { poolSize: 4 })
  const team = await foundTeam(db, 'olga', 'Acme')
  owner = contextOf(db, team.owner)
  org = team.org
  return { url }
}

const answers = {
  /** A database on the Postgres of the test run. */
  async clone({ server }: { server: string }) {
    clone = await cloneDatabase(server)
    return found(clone.url)
  },
  /** A database on a Postgres of this process's own. */
  async cluster() {
    clusterFolder = reapedFolder('agent-relay-stage-', 'data/postmaster.pid')
    cluster = await startCluster(clusterFolder)
    await migrate(cluster.url)
    return { ...(await found(cluster.url)), pid: cluster.pid() }
  },
  /** The same, reached by a socket file too: also from another network namespace. */
  async clusterBySocket() {
    clusterFolder = reapedFolder('agent-relay-stage-', 'data/postmaster.pid')
    cluster = await startCluster(clusterFolder, { unix_socket_directories: clusterFolder })
    await migrate(cluster.url)
    const url = new URL(cluster.url)
    url.searchParams.set('host', clusterFolder)
    return { ...(await found(cluster.url)), url: url.href }
  },
  async stopCluster() {
    await cluster?.stop()
  },
  async startCluster() {
    cluster = await startCluster(clusterFolder as string)
    return { pid: cluster.pid() }
  },
  async machine({ name }: { name: string }) {
    const { key, machine } = await createMachineKey(owner, { org: org.id, name })
    return { key, machine, org: { id: org.id, slug: org.slug, name: org.name } }
  },
  /** What waits for this machine, in words; at most a page of it. */
  async mail({ machine }: { machine: string }) {
    const mail = await readMail(db, machine, {})
    return mail.map((item) =>
      item.kind === 'envelope'
        ? `${item.envelope.stream} ${item.envelope.seq}`
        : `from ${item.returned.from}: ${JSON.stringify(item.returned.batch).slice(0, 200)}`,
    )
  },
}
export type StageAnswers = typeof answers

type Question = { id: number; ask: keyof StageAnswers; input: never }

process.on('message', async ({ id, ask, input }: Question) => {
  try {
    process.send?.({ id, value: await answers[ask](input) })
  } catch (error) {
    process.send?.({ id, error: String((error as Error).stack) })
  }
})
process.once('disconnect', async () => {
  // A test that was killed may have left it stopped, and then it could not even end.
  if (cluster !== undefined && isAlive(cluster.pid())) process.kill(cluster.pid(), 'SIGCONT')
  await db?.$disconnect()
  await Promise.allSettled([clone?.drop(), cluster?.stop()])
  process.exit(0)
})
process.send?.({ isReady: true })
