import { authorize, type OrgCtx } from '#lib/access/authorize.ts'
import { Prisma } from '#lib/db/generated/client.ts'
import type { OverviewView } from '#lib/trpc/views.ts'
import { listMachines } from '../reads/list-machines.ts'
import { isFailed, isWaiting, messageRows, unnamed, within24h } from '../reads/message-rows.ts'
import { checklistOf } from './checklist.ts'
import { figuresOf } from './figures.ts'

const shown = 8
/** Fewer, so that the machines above them keep their room on a small screen. */
const latestShown = 5

/** Everything of the organization's first page, in one go. */
export async function getOverview(ctx: OrgCtx): Promise<OverviewView> {
  authorize(ctx.role, 'org.read')
  authorize(ctx.role, 'message.read')
  const [checklist, figures, machines, latest, failures, waiting] = await Promise.all([
    checklistOf(ctx),
    figuresOf(ctx),
    listMachines(ctx),
    messageRows(ctx, Prisma.sql`TRUE`, latestShown),
    messageRows(ctx, Prisma.sql`${isFailed} AND ${within24h}`, shown),
    waitingByAgent(ctx),
  ])
  return {
    checklist,
    isSetUp: checklist.every(({ isDone }) => isDone),
    figures,
    machines: machines.filter(({ state }) => state !== 'revoked'),
    latest,
    failures,
    waitingByAgent: waiting,
  }
}

/** The longest queues first. */
function waitingByAgent({ db, org }: OrgCtx): Promise<OverviewView['waitingByAgent']> {
  return db.$queryRaw<OverviewView['waitingByAgent']>`
    SELECT t."toAgent" AS agent, coalesce(m.name, ${unnamed(Prisma.sql`t."toMachineId"`)}) AS machine, count(*)::int AS count,
      (extract(epoch FROM min(t."sentAt")) * 1000)::float8 AS "oldestAt"
    FROM "MessageTrace" t LEFT JOIN "Machine" m ON m.id = t."toMachineId" AND m."orgId" = t."orgId"
    WHERE t."orgId" = ${org.id}::uuid AND ${isWaiting}
    GROUP BY 1, 2 ORDER BY 3 DESC, 4 LIMIT ${shown}`
}
