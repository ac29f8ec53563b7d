import { MachineName } from '@agent-relay/protocol'
import { authorize, requireMembership } from '#lib/access/authorize.ts'
import { lockOrg, withTransaction } from '#lib/db/transaction.ts'
import { DomainError } from '#lib/errors.ts'
import { publish } from '#lib/realtime/bus.ts'
import type { NewMachineKey } from '#lib/trpc/views.ts'
import type { Ctx, UserActor } from '../context.ts'
import { admitMachine } from './admit-machine.ts'

/**
 * A key for a machine without a browser. It is shown this once; the machine's identity is bound at its first use.
 * @throws DomainError NOT_FOUND, FORBIDDEN, BAD_REQUEST (name), PLAN_LIMIT
 */
export async function createMachineKey(
  ctx: Ctx<UserActor>,
  input: { org: string; name: string },
): Promise<NewMachineKey> {
  const { org, role } = await requireMembership(ctx, input.org)
  authorize(role, 'machine.createKey')
  const name = MachineName.safeParse(input.name)
  if (!name.success)
    throw new DomainError(
      'BAD_REQUEST',
      `${JSON.stringify(input.name.slice(0, 64))} cannot name a machine: ${name.error.issues[0]?.message}.`,
    )
  const { machine, key } = await withTransaction(ctx.db, async (tx) => {
    await lockOrg(tx, org.id)
    return admitMachine(tx, ctx, { org, role, name: name.data, publicKey: null })
  })
  publish('roster', { orgId: org.id })
  publish('hint', { orgId: org.id, kinds: ['machines'] })
  return { key, machine: { id: machine.id, name: machine.name } }
}
