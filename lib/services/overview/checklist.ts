import { PERSON_CLIENT } from '@agent-relay/protocol'
import type { OrgCtx } from '#lib/access/authorize.ts'
import type { ChecklistStep } from '#lib/trpc/views.ts'

/** The way to a first message, read from what exists; no step is ever stored. */
export async function checklistOf({ db, org }: OrgCtx): Promise<ChecklistStep[]> {
  const orgId = org.id
  const [machine, agents, message] = await Promise.all([
    db.machine.findFirst({
      where: { orgId, publicKey: { not: null } },
      orderBy: { createdAt: 'asc' },
      select: { name: true, createdAt: true },
    }),
    db.agent.findMany({
      // A person's own name comes by itself with the first message; it is no agent that was started.
      where: { orgId, OR: [{ client: null }, { client: { not: PERSON_CLIENT } }] },
      orderBy: { createdAt: 'asc' },
      select: { name: true, createdAt: true },
      take: 2,
    }),
    db.messageTrace.findFirst({
      where: { orgId, state: { in: ['accepted', 'injected', 'seen'] } },
      orderBy: [{ sentAt: 'desc' }, { messageId: 'desc' }],
      select: { fromAgent: true, toAgent: true, sentAt: true },
    }),
  ])
  return [
    step('organization', org.name, org.createdAt),
    step('machine', machine?.name, machine?.createdAt),
    step('agent', agents[0]?.name, agents[0]?.createdAt),
    step('secondAgent', agents[1]?.name, agents[1]?.createdAt),
    step('message', message && `${message.fromAgent} → ${message.toAgent}`, message?.sentAt),
  ]
}

const step = (key: ChecklistStep['key'], label: string | null | undefined, at: Date | undefined): ChecklistStep => ({
  key,
  isDone: at !== undefined,
  label: label ?? null,
  at: at?.getTime() ?? null,
})
