import type { RegisterRequest, RegisterResponse } from '@agent-relay/protocol'
import { withTransaction } from '#lib/db/transaction.ts'
import { DomainError } from '#lib/errors.ts'
import { publish } from '#lib/realtime/bus.ts'
import { type Ctx, type MachineActor, personName } from '../context.ts'
import { plainText } from '../plain-text.ts'
import { buildRoster } from '../roster/build-roster.ts'
import { bumpRoster } from '../roster/bump-roster.ts'
import { bindIdentity } from './bind-identity.ts'

/**
 * A machine says what it is: its identity is bound the first time and checked ever after; platform and version are kept.
 * The name stays the one that the organization gave it.
 * @throws DomainError IDENTITY_MISMATCH, CONFLICT
 */
export async function registerMachine(ctx: Ctx<MachineActor>, input: RegisterRequest): Promise<RegisterResponse> {
  const { machineId, orgId } = ctx.actor
  if (input.machineId !== undefined && input.machineId !== machineId)
    throw new DomainError(
      'CONFLICT',
      `This key belongs to another machine than ${input.machineId}: use that one's key.`,
    )
  await withTransaction(ctx.db, async (tx) => {
    await bindIdentity(tx, { machineId, orgId, publicKey: input.publicKey })
    await tx.machine.update({
      where: { id: machineId },
      data: {
        platform: plainText(input.platform),
        version: plainText(input.version),
        lastSeenAt: new Date(),
        ...(ctx.address && { address: ctx.address }),
      },
    })
    await bumpRoster(tx, orgId)
  })
  publish('roster', { orgId })
  publish('hint', { orgId, kinds: ['machines'] })
  const roster = await buildRoster(ctx.db, orgId)
  const machine = await ctx.db.machine.findUniqueOrThrow({ where: { id: machineId }, include: { user: true } })
  return {
    daemonId: machineId,
    machine: { id: machineId, name: machine.name },
    org: roster.org,
    person: personName(machine.user),
    roster,
    policyVersion: 0,
  }
}
