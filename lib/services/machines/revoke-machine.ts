import { authorize, isId, requireMembership } from '#lib/access/authorize.ts'
import { writeAudit } from '#lib/audit/write-audit.ts'
import { lockOrg, withTransaction } from '#lib/db/transaction.ts'
import { DomainError } from '#lib/errors.ts'
import { publish } from '#lib/realtime/bus.ts'
import type { Actor, Ctx, MachineActor, UserActor } from '../context.ts'
import { forgetMachine } from '../inbox/forget-machine.ts'
import { deleteMailbox } from '../messages/acknowledge-mail.ts'
import { bumpRoster } from '../roster/bump-roster.ts'

/**
 * Ends a machine: its key is dead at once, its socket is closed, its names are free, what waited for it is dropped (the
 * senders' own copies fail with a reason at their next try), and its name may be used again.
 * @throws DomainError NOT_FOUND, FORBIDDEN for another person's machine
 */
export async function revokeMachine(
  ctx: Ctx<UserActor>,
  input: { org: string; machineId: string },
): Promise<{ done: true }> {
  const { org, role } = await requireMembership(ctx, input.org)
  const machine = isId(input.machineId)
    ? await ctx.db.machine.findFirst({ where: { id: input.machineId, orgId: org.id }, select: { userId: true } })
    : null
  if (!machine) throw notFound(input.machineId)
  if (machine.userId !== ctx.actor.userId) authorize(role, 'machine.revokeAny')
  return revoke(ctx, { orgId: org.id, machineId: input.machineId })
}

/** The machine leaves by itself (`agent-relay unlink`). */
export const revokeSelf = (ctx: Ctx<MachineActor>): Promise<{ done: true }> =>
  revoke(ctx, { orgId: ctx.actor.orgId, machineId: ctx.actor.machineId })

async function revoke(ctx: Ctx<Actor>, { orgId, machineId }: { orgId: string; machineId: string }) {
  await withTransaction(ctx.db, async (tx) => {
    await lockOrg(tx, orgId)
    const machine = await tx.machine.findFirst({ where: { id: machineId, orgId } })
    if (!machine) throw notFound(machineId)
    if (machine.revokedAt) return
    const now = new Date()
    // The row stays for history; its place in unique(orgId, nameKey) is given up.
    await tx.machine.update({
      where: { id: machineId },
      data: { revokedAt: now, nameKey: `${machine.nameKey}~${machineId}` },
    })
    await tx.machineSession.updateMany({ where: { machineId, endedAt: null }, data: { endedAt: now } })
    await tx.agent.updateMany({ where: { machineId, releasedAt: null }, data: { releasedAt: now, status: 'offline' } })
    await tx.machineLink.deleteMany({ where: { orgId, OR: [{ machineId }, { peerId: machineId }] } })
    await deleteMailbox(tx, machineId)
    await forgetMachine(tx, machineId)
    await bumpRoster(tx, orgId)
    await writeAudit(tx, ctx, {
      orgId,
      action: 'machine.revoke',
      target: { kind: 'machine', id: machineId, label: machine.name },
      before: { keyPrefix: machine.keyPrefix },
    })
  })
  publish('revoked', { orgId, machineId })
  publish('disconnect', {
    machineId,
    error: { code: 'KEY_REVOKED', message: 'This machine was revoked. To link it again, run: agent-relay link' },
  })
  publish('roster', { orgId })
  publish('hint', { orgId, kinds: ['machines', 'agents', 'channels', 'inbox', 'network'] })
  return { done: true } as const
}

const notFound = (machineId: string) =>
  new DomainError('NOT_FOUND', `There is no machine ${JSON.stringify(machineId.slice(0, 64))} in this organization.`)
