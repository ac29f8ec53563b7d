/** Claims of one machine against the registry, within one transaction that holds the organization's lock. */
import { type AgentClaim, type ClaimResult, nameKey, suggestName } from '@agent-relay/protocol'
import { writeAudit } from '#lib/audit/write-audit.ts'
import type { Agent, Prisma } from '#lib/db/generated/client.ts'
import { DomainError, toWireError } from '#lib/errors.ts'
import { type Ctx, type MachineActor, personName, type Tx } from '../context.ts'
import { plainText } from '../plain-text.ts'
import { agentAllowance } from './agent-allowance.ts'
import { type Decision, decideClaim } from './decide-claim.ts'

const holderFields = {
  machine: {
    select: {
      name: true,
      lastSeenAt: true,
      user: { select: { handle: true, name: true, email: true } },
      // Ended ones too: a connection that was lost says nothing about the programs, and the lease outlives it.
      sessions: { orderBy: { leaseExpiresAt: 'desc' }, take: 1, select: { leaseExpiresAt: true } },
    },
  },
} as const satisfies Prisma.AgentInclude
type Known = Prisma.AgentGetPayload<{ include: typeof holderFields }>

/** Grants or refuses each claim, in order; a refusal of one name does not touch the others. Returns one result per claim. */
export async function applyClaims(
  tx: Tx,
  ctx: Ctx<MachineActor>,
  claims: AgentClaim[],
): Promise<{ results: ClaimResult[]; hasChanged: boolean }> {
  const { orgId } = ctx.actor
  const known = await tx.agent.findMany({
    where: { orgId, nameKey: { in: claims.map(({ name }) => nameKey(name)) } },
    include: holderFields,
  })
  const byKey = new Map(known.map((agent) => [agent.nameKey, agent]))
  const allowance = await agentAllowance(tx, ctx.actor)
  const results: ClaimResult[] = []
  let hasChanged = false
  for (const claim of claims) {
    const agent = byKey.get(nameKey(claim.name))
    const decision = decide(agent, claim, ctx.actor)
    try {
      if (decision.kind === 'refuse') throw await nameTaken(tx, ctx, claim, agent as Known, decision.freeInSeconds)
      if (!agent || agent.releasedAt !== null || agent.machineId !== ctx.actor.machineId) allowance.take(claim)
      const wrote = await grant(tx, ctx, claim, agent, decision)
      hasChanged ||= wrote
      results.push({ ok: true, name: agent?.name ?? claim.name, epoch: decision.epoch })
    } catch (error) {
      if (!(error instanceof DomainError)) throw error
      results.push({ ok: false, name: claim.name, error: toWireError(error) })
    }
  }
  return { results, hasChanged }
}

function decide(agent: Known | undefined, claim: AgentClaim, actor: MachineActor): Decision {
  const holder = agent && {
    machineId: agent.machineId,
    epoch: agent.epoch,
    isReleased: agent.releasedAt !== null,
    leaseEndsAt: agent.machine.sessions[0]?.leaseExpiresAt ?? null,
  }
  return decideClaim(holder, { epoch: claim.epoch, machineId: actor.machineId }, new Date())
}

async function grant(
  tx: Tx,
  ctx: Ctx<MachineActor>,
  claim: AgentClaim,
  agent: Known | undefined,
  decision: Exclude<Decision, { kind: 'refuse' }>,
): Promise<boolean> {
  const { orgId, machineId } = ctx.actor
  const facts = factsOf(claim)
  if (!agent) {
    const created = await tx.agent.create({
      data: { ...facts, orgId, machineId, name: claim.name, nameKey: nameKey(claim.name), epoch: decision.epoch },
    })
    await writeAudit(tx, ctx, {
      orgId,
      action: 'agent.register',
      target: target(created),
      after: { machine: ctx.actor.label },
    })
    return true
  }
  if (decision.kind === 'renew' && agent.releasedAt === null && isSame(agent, facts)) return false
  await tx.agent.update({
    where: { id: agent.id },
    data: { ...facts, machineId, epoch: decision.epoch, releasedAt: null, lastSeenAt: new Date() },
  })
  if (decision.kind === 'take')
    await writeAudit(tx, ctx, {
      orgId,
      action: 'agent.take',
      target: target(agent),
      before: { machine: agent.machine.name, epoch: agent.epoch },
      after: { machine: ctx.actor.label, epoch: decision.epoch },
    })
  return true
}

const target = (agent: Pick<Agent, 'id' | 'name'>) => ({ kind: 'agent', id: agent.id, label: agent.name })

function factsOf(claim: AgentClaim) {
  const plain = (text: string | null) => (text === null ? null : plainText(text))
  return {
    status: claim.status,
    project: claim.project,
    repository: plain(claim.repository),
    client: plain(claim.client),
    model: plain(claim.model),
    capabilities: claim.capabilities.map(plainText),
  }
}

const isSame = (agent: Agent, facts: ReturnType<typeof factsOf>): boolean =>
  (Object.keys(facts) as (keyof typeof facts)[]).every(
    (key) => JSON.stringify(agent[key]) === JSON.stringify(facts[key]),
  )

/** 409 says who holds the name, when it was last seen, when it frees, and a free name like it. */
async function nameTaken(tx: Tx, ctx: Ctx<MachineActor>, claim: AgentClaim, holder: Known, freeInSeconds: number) {
  const like = await tx.agent.findMany({
    where: { orgId: ctx.actor.orgId, nameKey: { startsWith: nameKey(claim.name).slice(0, 58) } },
    select: { nameKey: true },
  })
  const taken = new Set(like.map((agent) => agent.nameKey))
  const suggestion = suggestName(claim.name, (key) => taken.has(key))
  const owner = `${personName(holder.machine.user)} on ${holder.machine.name}`
  return new DomainError(
    'NAME_TAKEN',
    `The name ${holder.name} is held by ${owner}. Take another one, such as ${suggestion}; this one frees when that agent ends, or in ${freeInSeconds} s unless its machine is heard again.`,
    { details: { owner, lastSeenAt: holder.lastSeenAt.toISOString(), freeInSeconds, suggestion } },
  )
}
