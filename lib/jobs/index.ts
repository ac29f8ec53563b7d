/** Recurring work on pg-boss: its queue is in the same Postgres, so several processes share it and a missed run is made up for. */
import { PgBoss } from 'pg-boss'
import { getDb } from '#lib/db/client.ts'
import { env } from '#lib/env.ts'
import type { Log } from '#lib/realtime/log.ts'
import type { Db } from '#lib/services/context.ts'
import { type ChoreName, chores } from './chores.ts'
import { quietErrors } from './quiet-errors.ts'

const queue = 'chores'

export type Jobs = { stop(): Promise<void> }

/** Schedules every chore and works them off until `stop`, which waits for one that runs (at most 5 s). */
export async function startJobs({
  log,
  databaseUrl = env().DATABASE_URL ?? '',
  db = getDb(),
}: {
  log: Log
  databaseUrl?: string
  db?: Db
}): Promise<Jobs> {
  const boss = new PgBoss({
    connectionString: databaseUrl,
    options: '-c TimeZone=UTC',
    application_name: 'agent-relay-jobs',
    max: 2,
    connectionTimeoutMillis: 5_000,
    openTelemetry: { enabled: false },
  })
  const onError = quietErrors(log)
  // While Postgres is away every poll fails: without a listener each would end the process, with a plain one flood the log.
  boss.on('error', onError)
  await boss.start()
  // `singleton` per key: a chore that is due again while it waits does not queue up.
  await boss.createQueue(queue, { policy: 'short', retryLimit: 0, expireInSeconds: 600 })
  await boss.work<{ chore: ChoreName }>(queue, { pollingIntervalSeconds: 15 }, async (jobs) => {
    for (const { data } of jobs) {
      const chore = chores[data.chore]
      // A newer process may have scheduled one that this one does not know.
      if (chore) await chore.run(db).catch(onError)
    }
  })
  for (const [name, { cron }] of Object.entries(chores))
    await boss.schedule(queue, cron, { chore: name }, { key: name, singletonKey: name })
  return {
    async stop() {
      await boss.stop({ graceful: true, timeout: 5_000 })
    },
  }
}
