import type { SealKey } from '@agent-relay/protocol'
import { sealKeyText } from '@agent-relay/protocol'
import { type KeyPair, signText } from '@agent-relay/protocol/crypto'
import { isDomainError } from '#lib/errors.ts'
import { publish } from '#lib/realtime/bus.ts'
import type { Db, Tx } from '../context.ts'
import { bumpRoster } from '../roster/bump-roster.ts'
import { inOrgTurn } from '../roster/org-turn.ts'
import { forget, insertKey, type OrgKey, readKeys, remembered } from './key-rows.ts'
import { cloudIdentityOf } from './org-keys.ts'

const DAY_MS = 86_400_000
/** Whoever copies a private half later reads one week of messages that it has recorded, and not all. */
const ROTATE_MS = 7 * DAY_MS
/** As long as the longest time to live: what was sealed to a key before it was replaced can still come. */
const KEEP_MS = 30 * DAY_MS

export type CloudSealKeys = {
  /** As the roster has them: the current key and the one before it, signed by the control plane's identity. */
  seals: SealKey[]
  /** All that still open something, the current one last, as createSealBox takes them. The same array until the next rotation. */
  pairs: readonly KeyPair[]
}

type Kept = CloudSealKeys & { rotateAt: number }

/**
 * The keys to which machines seal what is for people and channels, and by which people's messages are sealed. Made when first
 * asked for and replaced by the week, with a new roster version; replaced ones are kept for 30 days.
 * @throws DomainError as those of org-keys.ts
 */
export async function cloudSealKeysOf(db: Db, orgId: string, now = Date.now()): Promise<CloudSealKeys> {
  const name = `seal ${orgId}`
  const kept = await remembered(db, name, () => load(db, orgId, now))
  if (now < kept.rotateAt) return kept
  forget(db, name)
  return remembered(db, name, () => load(db, orgId, now))
}

async function load(db: Db, orgId: string, now: number): Promise<Kept> {
  const identity = await cloudIdentityOf(db, orgId)
  let keys = await readKeys(db, orgId, 'seal')
  if (isDue(keys, now)) {
    const isNew = await inOrgTurn(db, orgId, (tx) => rotate(tx, orgId, now))
    keys = await readKeys(db, orgId, 'seal')
    if (isNew) publish('roster', { orgId })
  }
  const pairs = keys.map(({ publicKey, privateKey }) => ({ publicKey, privateKey }))
  const seals = pairs
    .slice(-2)
    .reverse()
    .map(({ publicKey: key }) => ({ key, signature: signText(identity.key, sealKeyText(orgId, orgId, key)) }))
  return { seals, pairs, rotateAt: endOf(keys) }
}

/** Replaces every organization's seal key that is due, also where nobody asks: what was kept of older ones ends with that. */
export async function rotateSealKeys(db: Db, now = Date.now()): Promise<void> {
  const due = await db.$queryRaw<{ orgId: string }[]>`
    SELECT k."orgId"::text AS "orgId" FROM "OrgKey" k JOIN "Organization" o ON o.id = k."orgId" AND o."deletedAt" IS NULL
    WHERE k.purpose = 'seal' GROUP BY k."orgId" HAVING max(k."createdAt") <= ${new Date(now - ROTATE_MS)}`
  for (const { orgId } of due)
    await cloudSealKeysOf(db, orgId, now).catch((error) => {
      // One organization's keys that cannot be read, which the log has, are no reason to leave the others.
      if (!isDomainError(error)) throw error
    })
}

const endOf = (keys: OrgKey[]): number => (keys.at(-1)?.createdAt.getTime() ?? Number.NEGATIVE_INFINITY) + ROTATE_MS
const isDue = (keys: OrgKey[], now: number): boolean => now >= endOf(keys)

/** Whether a key was added; another process may have been first. */
async function rotate(tx: Tx, orgId: string, now: number): Promise<boolean> {
  const keys = await readKeys(tx, orgId, 'seal')
  if (!isDue(keys, now)) return false
  // A key was in use until the next one was made.
  const over = keys.filter((_, n) => (keys[n + 1]?.createdAt.getTime() ?? now) < now - KEEP_MS)
  await tx.orgKey.deleteMany({ where: { orgId, purpose: 'seal', publicKey: { in: over.map((key) => key.publicKey) } } })
  await insertKey(tx, orgId, 'seal', new Date(now))
  await bumpRoster(tx, orgId)
  return true
}
