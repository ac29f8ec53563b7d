import { nameKey, nearestNames } from '@agent-relay/protocol'
import type { Prisma } from '#lib/db/generated/client.ts'
import { DomainError } from '#lib/errors.ts'
import type { Db, Tx } from '../context.ts'

const fields = { machine: true } as const satisfies Prisma.AgentInclude

/** The agent of this name. @throws DomainError NOT_FOUND with details {nearest} */
export async function findAgent(
  db: Db | Tx,
  { orgId, name }: { orgId: string; name: string },
): Promise<Prisma.AgentGetPayload<{ include: typeof fields }>> {
  const agent = await db.agent.findUnique({
    where: { orgId_nameKey: { orgId, nameKey: nameKey(name) } },
    include: fields,
  })
  if (agent) return agent
  const names = await db.agent.findMany({ where: { orgId }, select: { name: true }, take: 5000 })
  const nearest = nearestNames(
    name.slice(0, 64),
    names.map((other) => other.name),
  )
  const hint = nearest.length > 0 ? ` Did you mean ${nearest.join(' or ')}?` : ''
  throw new DomainError('NOT_FOUND', `There is no agent ${JSON.stringify(name.slice(0, 64))} here.${hint}`, {
    details: { nearest },
  })
}
