/** How a machine comes into an organization, whichever way it was vouched for. Callers hold the organization's lock. */
import { nameKey, suggestName } from '@agent-relay/protocol'
import { limits, planNames } from '#lib/access/plans.ts'
import { can, type Role } from '#lib/access/roles.ts'
import { writeAudit } from '#lib/audit/write-audit.ts'
import { makeMachineKey } from '#lib/auth/machine-key.ts'
import type { Machine, Organization } from '#lib/db/generated/client.ts'
import { DomainError } from '#lib/errors.ts'
import type { Ctx, Tx, UserActor } from '../context.ts'
import { bumpRoster } from '../roster/bump-roster.ts'

type Org = Pick<Organization, 'id' | 'plan' | 'slug' | 'name'>

type Admission = {
  org: Org
  role: Role
  name: string
  /** null for a headless key that no machine has used yet. */
  publicKey: string | null
  platform?: string
  version?: string
}

/**
 * Makes a machine with a fresh key; or, for an identity that the organization already has, gives that machine the new key
 * and ends the old one. Writes the audit entry and a new roster version.
 * @throws DomainError PLAN_LIMIT, CONFLICT when the identity belongs to another person's machine
 */
export async function admitMachine(
  tx: Tx,
  ctx: Ctx<UserActor>,
  { org, role, name, publicKey, platform = '', version = '' }: Admission,
): Promise<{ machine: Machine; key: string; isNew: boolean }> {
  const { key, hash, prefix } = makeMachineKey()
  const known = publicKey && (await machineOfIdentity(tx, { orgId: org.id, publicKey, actor: ctx.actor, role }))
  if (!known) await assertMachineLimit(tx, org)
  const facts = { platform, version, apiKeyHash: hash, keyPrefix: prefix, userId: ctx.actor.userId }
  let machine: Machine
  if (known) machine = await tx.machine.update({ where: { id: known.id }, data: facts })
  else {
    const free = await freeMachineName(tx, org.id, name)
    machine = await tx.machine.create({
      data: { ...facts, orgId: org.id, name: free, nameKey: nameKey(free), publicKey, address: ctx.address },
    })
  }
  await bumpRoster(tx, org.id)
  await writeAudit(tx, ctx, {
    orgId: org.id,
    action: known ? 'machine.relink' : publicKey ? 'machine.link' : 'machine.createKey',
    target: { kind: 'machine', id: machine.id, label: machine.name },
    ...(known && { before: { keyPrefix: known.keyPrefix } }),
    after: { name: machine.name, keyPrefix: prefix },
  })
  return { machine, key, isNew: !known }
}

/**
 * The living machine of this organization with this identity, if any. Public keys are public, so only its own person, or
 * whoever may revoke it anyway, can have its key replaced.
 * @throws DomainError CONFLICT
 */
export async function machineOfIdentity(
  tx: Tx,
  { orgId, publicKey, actor, role }: { orgId: string; publicKey: string; actor: UserActor; role: Role },
): Promise<Machine | null> {
  const machine = await tx.machine.findFirst({ where: { orgId, publicKey, revokedAt: null } })
  if (machine && machine.userId !== actor.userId && !can(role, 'machine.revokeAny'))
    throw new DomainError(
      'CONFLICT',
      `This machine is already linked as ${machine.name} by another person. Ask them or an admin to revoke it first.`,
    )
  return machine
}

/** @throws DomainError PLAN_LIMIT with details {limit, use, plan} */
export async function assertMachineLimit(tx: Tx, org: Org): Promise<void> {
  const limit = limits[org.plan].machines
  if (limit === Number.POSITIVE_INFINITY) return
  const use = await tx.machine.count({ where: { orgId: org.id, revokedAt: null } })
  if (use < limit) return
  throw new DomainError(
    'PLAN_LIMIT',
    `${org.name} has ${use} of ${limit} machines that the plan ${planNames[org.plan]} includes. Revoke one, or change the plan in the settings.`,
    { details: { what: 'machines', limit, use, plan: org.plan } },
  )
}

/** `name`, or the next free one like it. */
export async function freeMachineName(tx: Tx, orgId: string, name: string): Promise<string> {
  const taken = await tx.machine.findMany({
    where: { orgId, nameKey: { startsWith: nameKey(name).slice(0, 58) } },
    select: { nameKey: true },
  })
  const keys = new Set(taken.map((machine) => machine.nameKey))
  return keys.has(nameKey(name)) ? suggestName(name.slice(0, 60), (key) => keys.has(key)) : name
}
