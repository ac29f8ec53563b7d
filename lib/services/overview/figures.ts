import type { OrgCtx } from '#lib/access/authorize.ts'
import type { OverviewView } from '#lib/trpc/views.ts'
import { isFailed, isWaiting, within24h } from '../reads/message-rows.ts'

type Figures = OverviewView['figures']

/**
 * The last 24 hours in numbers, computed in Postgres over that window alone: what is older costs nothing. Percentiles are of
 * the time from queued to accepted, on the sender's clock, of live paths: waiting for a machine that is away is no latency.
 */
export async function figuresOf({ db, org }: OrgCtx): Promise<Figures> {
  const [window, waiting, hours] = await Promise.all([
    db.$queryRaw<Omit<Figures, 'waiting' | 'oldestWaitingAt' | 'deliveredByHour'>[]>`
      WITH recent AS (
        SELECT t.path, t."tookMs", t.state IN ('accepted', 'injected', 'seen') AS delivered, ${isFailed} AS failed
        FROM "MessageTrace" t WHERE t."orgId" = ${org.id}::uuid AND ${within24h}
      ), p AS (
        SELECT percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY "tookMs") AS ms
        FROM recent WHERE delivered AND path <> 'mailbox'
      ), n AS (
        SELECT count(*) FILTER (WHERE delivered)::int AS delivered, count(*) FILTER (WHERE failed)::int AS failed,
          count(path) FILTER (WHERE delivered)::float8 AS pathed,
          count(*) FILTER (WHERE delivered AND path = 'local')::float8 AS "local",
          count(*) FILTER (WHERE delivered AND path IN ('relay', 'mailbox'))::float8 AS relayed
        FROM recent
      )
      SELECT n.delivered AS "delivered24h", n.failed AS "failed24h", p.ms[1] AS "p50Ms", p.ms[2] AS "p95Ms", p.ms[3] AS "p99Ms",
        n."local" / nullif(n.pathed, 0) AS "localShare", n.relayed / nullif(n.pathed, 0) AS "relayShare"
      FROM n, p`,
    db.$queryRaw<Pick<Figures, 'waiting' | 'oldestWaitingAt'>[]>`
      SELECT count(*)::int AS waiting, (extract(epoch FROM min(t."sentAt")) * 1000)::float8 AS "oldestWaitingAt"
      FROM "MessageTrace" t WHERE t."orgId" = ${org.id}::uuid AND ${isWaiting}`,
    deliveredByHour({ db, org }),
  ])
  return {
    ...(window[0] as (typeof window)[number]),
    ...(waiting[0] as (typeof waiting)[number]),
    deliveredByHour: hours,
  }
}

/** Twenty-four sliding hours that end now, oldest first. */
async function deliveredByHour({ db, org }: Pick<OrgCtx, 'db' | 'org'>): Promise<number[]> {
  const rows = await db.$queryRaw<{ hoursAgo: number; n: number }[]>`
    SELECT least(23, greatest(0, floor(extract(epoch FROM now() - "sentAt") / 3600)))::int AS "hoursAgo", count(*)::int AS n
    FROM "MessageTrace"
    WHERE "orgId" = ${org.id}::uuid AND "sentAt" > now() - interval '24 hours' AND state IN ('accepted', 'injected', 'seen')
    GROUP BY 1`
  const hours = new Array<number>(24).fill(0)
  for (const { hoursAgo, n } of rows) hours[23 - hoursAgo] = n
  return hours
}
