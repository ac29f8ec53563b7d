/** The organization, person and machines that the golden frames speak of, in a real database. */
import { createPublicKey } from 'node:crypto'
import type { Roster, Welcome } from '@agent-relay/protocol'
import { golden, goldenKey } from '@agent-relay/protocol/fixtures'
import { hashMachineKey, makeMachineKey } from '#lib/auth/machine-key.ts'
import type { Db, UserActor } from '#lib/services/context.ts'
import { type LinkedMachine, makeIdentity } from './machines.ts'
import { signUp } from './people.ts'

export type GoldenOrg = { owner: UserActor; orgId: string; slug: string; alice: LinkedMachine; bob: LinkedMachine }

/** Alice's machine has the golden key and identity; Bob's has others, of this run. */
export async function createGoldenOrg(db: Db): Promise<GoldenOrg> {
  const { person, roster } = golden('control/welcome.usual') as Welcome
  const owner = await signUp(db, person)
  const { id: orgId, slug, name } = roster.org
  const member = { userId: owner.userId, role: 'owner' } as const
  await db.organization.create({ data: { id: orgId, kind: 'team', slug, name, memberships: { create: member } } })
  const add = async (row: Roster['machines'][0], key: string): Promise<LinkedMachine> => {
    await db.machine.create({
      data: {
        ...{ id: row.id, orgId, userId: owner.userId, name: row.name, nameKey: row.name, keyPrefix: key.slice(0, 16) },
        ...{ platform: row.platform, version: row.version, publicKey: row.publicKey, apiKeyHash: hashMachineKey(key) },
      },
    })
    return { id: row.id, orgId, name: row.name, key, identity: makeIdentity() }
  }
  const [first, second] = roster.machines as [Roster['machines'][0], Roster['machines'][0]]
  const alice = await add(first, golden('control/auth.usual').key)
  const publicKey = createPublicKey(goldenKey).export({ format: 'jwk' }).x as string
  return {
    ...{ owner, orgId, slug },
    alice: { ...alice, identity: { publicKey, privateKey: goldenKey } },
    bob: await add(second, makeMachineKey().key),
  }
}

/** The text that travelled: what was parsed is written again in the order in which it came. */
export const wireOf = (value: unknown): string => JSON.stringify(value)

/** Times, versions and keys are of the moment or of this run; all else can be compared with a golden frame. */
export const timeless = (value: unknown): unknown =>
  JSON.parse(wireOf(value), (key, part) =>
    /^(lastSeenAt|now|at|version|base|publicKey|controlKey|key|signature)$/.test(key) && part !== null ? 0 : part,
  )
