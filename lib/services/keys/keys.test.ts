/** The organization's keys against a real Postgres; each client of it stands for a process, because each has its own memory. */

import { diffieHellman } from 'node:crypto'
import { isOwnSealKey, privateKeyOf, publicKeyOf } from '@agent-relay/protocol/crypto'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { createDb, type Db } from '#lib/db/client.ts'
import { createLog } from '#lib/log.ts'
import { listen } from '#lib/realtime/bus.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import { foundTeam } from '#lib/testing/people.ts'
import { cloudSealKeysOf, rotateSealKeys } from './cloud-seal-keys.ts'
import { archiveKeyOf, cloudIdentityOf, controlKeyOf } from './org-keys.ts'
import { decryptPrivateHalf, encryptPrivateHalf } from './private-half.ts'

const DAY_MS = 86_400_000

let database: TestDatabase
let orgId: string
let count = 0
const others: Db[] = []
const lines: string[] = []
const shared = globalThis as { [key: symbol]: unknown }
beforeAll(async () => {
  database = await createTestDatabase()
  shared[Symbol.for('agent-relay.log')] = createLog('warn', { write: (line) => void lines.push(line) })
})
afterAll(async () => {
  delete shared[Symbol.for('agent-relay.log')]
  await Promise.all(others.map((db) => db.$disconnect()))
  await database.drop()
})
beforeEach(async () => {
  orgId = (await foundTeam(database.db, `olga${++count}`, `Acme ${count}`)).org.id
})

/** Another process on the same database. */
function another(): Db {
  const db = createDb(database.url, { poolSize: 5 })
  others.push(db)
  return db
}
const rows = (purpose: 'control' | 'cloud' | 'seal' | 'archive') =>
  database.db.orgKey.findMany({ where: { orgId, purpose }, orderBy: { createdAt: 'asc' } })

test.each([
  ['control', controlKeyOf],
  ['cloud', cloudIdentityOf],
  ['archive', archiveKeyOf],
] as const)('the %s key is made once, however many processes ask at once, and stays', async (purpose, keyOf) => {
  const processes = [database.db, another(), another()]
  const keys = await Promise.all(processes.flatMap((db) => [keyOf(db, orgId), keyOf(db, orgId)]))
  expect(new Set(keys.map(({ publicKey }) => publicKey)).size).toBe(1)
  expect(await rows(purpose)).toHaveLength(1)
  expect((await keyOf(another(), orgId)).publicKey).toBe(keys[0]?.publicKey)
})

test('no private half stands in the database, and none opens under another secret, organization, purpose or key', async () => {
  const { privateKey } = await archiveKeyOf(database.db, orgId)
  const [row] = await rows('archive')
  expect(JSON.stringify(row)).not.toContain(privateKey)
  expect(JSON.stringify(row)).not.toContain(Buffer.from(privateKey, 'base64url').toString('hex'))
  const secret = process.env.AUTH_SECRET as string
  const owner = { orgId, purpose: 'archive' as const, publicKey: row?.publicKey as string }
  const encrypted = row?.secret as string
  expect(decryptPrivateHalf(secret, owner, encrypted)).toBe(privateKey)
  expect(encryptPrivateHalf(secret, owner, privateKey)).not.toBe(encrypted)
  for (const [s, o, e] of [
    [`${secret}x`, owner, encrypted],
    [secret, { ...owner, orgId: crypto.randomUUID() }, encrypted],
    [secret, { ...owner, purpose: 'seal' as const }, encrypted],
    [secret, { ...owner, publicKey: privateKey }, encrypted],
    [secret, owner, `${encrypted.slice(0, -3)}AAA`],
    [secret, owner, encrypted.slice(0, 30)],
    [secret, owner, encrypted.replace('v1.', 'v2.')],
    [secret, owner, ''],
  ] as const)
    expect(decryptPrivateHalf(s, o, e)).toBeUndefined()
})

test('under another AUTH_SECRET every use is refused, the log says once what to do, and no new key is made', async () => {
  const before = await controlKeyOf(database.db, orgId)
  await cloudSealKeysOf(database.db, orgId)
  vi.resetModules()
  vi.stubEnv('AUTH_SECRET', 'another secret of more than thirty-two characters')
  try {
    // A process that was started with it: it reads its environment anew.
    const later = await import('./org-keys.ts')
    const { cloudSealKeysOf: sealKeysOf } = await import('./cloud-seal-keys.ts')
    const db = another()
    lines.length = 0
    for (const use of [later.controlKeyOf, later.controlKeyOf, later.cloudIdentityOf, sealKeysOf])
      await expect(use(db, orgId)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(/AUTH_SECRET is not the one.*Start again with the former AUTH_SECRET.*agent-relay link/)
    expect(lines[0]).toContain(orgId)
  } finally {
    vi.unstubAllEnvs()
    vi.resetModules()
  }
  for (const purpose of ['control', 'cloud', 'seal'] as const) expect(await rows(purpose)).toHaveLength(1)
  expect((await controlKeyOf(another(), orgId)).publicKey).toBe(before.publicKey)
})

test('the seal key is the control plane’s own word, agrees with a machine’s, and is the same for two processes', async () => {
  const [one, two] = await Promise.all([cloudSealKeysOf(database.db, orgId), cloudSealKeysOf(another(), orgId)])
  expect(two).toEqual(one)
  expect(one.seals).toHaveLength(1)
  const identity = await cloudIdentityOf(database.db, orgId)
  const [seal] = one.seals as [(typeof one.seals)[0]]
  expect(isOwnSealKey(identity.publicKey, orgId, orgId, seal)).toBe(true)
  expect(isOwnSealKey(identity.publicKey, orgId, crypto.randomUUID(), seal)).toBe(false)
  const archive = await archiveKeyOf(database.db, orgId)
  const [pair] = one.pairs as [typeof archive]
  const agreed = (mine: typeof archive, theirs: string) =>
    diffieHellman({ privateKey: privateKeyOf('X25519', mine), publicKey: publicKeyOf('X25519', theirs) })
  expect(agreed(pair, archive.publicKey)).toEqual(agreed(archive, seal.key))
})

test('a seal key is replaced by the week with a new roster version; the one before is listed, and kept for 30 days', async () => {
  const bumps: string[] = []
  const unlisten = listen('roster', (news) => void bumps.push(news.orgId))
  const version = async () => (await database.db.organization.findUniqueOrThrow({ where: { id: orgId } })).rosterVersion
  const start = Date.now()
  const first = await cloudSealKeysOf(database.db, orgId, start)
  expect(bumps).toEqual([orgId])
  const known = await version()
  expect(await cloudSealKeysOf(database.db, orgId, start + 7 * DAY_MS - 1)).toBe(first)
  expect(await version()).toBe(known)

  const other = another()
  await cloudSealKeysOf(other, orgId, start)
  const later = start + 7 * DAY_MS
  const [second, same] = await Promise.all([
    cloudSealKeysOf(database.db, orgId, later),
    cloudSealKeysOf(other, orgId, later),
  ])
  expect(same).toEqual(second)
  expect(await rows('seal')).toHaveLength(2)
  expect(await version()).toBe(known + 1n)
  expect(bumps).toEqual([orgId, orgId])
  expect(second.seals.map(({ key }) => key)).toEqual([second.pairs.at(-1)?.publicKey, first.seals[0]?.key])
  expect(second.pairs[0]).toEqual(first.pairs[0])

  // Nobody asked for three weeks: the second was in use all the time, and the first ended when the second began.
  const third = await cloudSealKeysOf(database.db, orgId, start + 30 * DAY_MS)
  expect(third.pairs).toHaveLength(3)
  const fourth = await cloudSealKeysOf(database.db, orgId, start + 37 * DAY_MS + 1)
  expect(fourth.pairs.map(({ publicKey }) => publicKey)).toEqual([
    ...third.pairs.slice(1).map(({ publicKey }) => publicKey),
    fourth.seals[0]?.key,
  ])
  expect(await rows('seal')).toHaveLength(3)
  unlisten()
})

test('the chore rotates what is due, also in organizations in which nobody asks, past one whose keys cannot be read', async () => {
  const start = Date.now()
  await cloudSealKeysOf(database.db, orgId, start)
  const broken = (await foundTeam(database.db, `broken${count}`, `Broken ${count}`)).org.id
  await cloudSealKeysOf(database.db, broken, start)
  await database.db.orgKey.updateMany({ where: { orgId: broken, purpose: 'seal' }, data: { secret: 'v1.AAAA' } })
  const db = another()
  await rotateSealKeys(db, start + 6 * DAY_MS)
  expect(await rows('seal')).toHaveLength(1)
  await rotateSealKeys(db, start + 8 * DAY_MS)
  expect(await rows('seal')).toHaveLength(2)
  expect(await database.db.orgKey.count({ where: { orgId: broken, purpose: 'seal' } })).toBe(1)
})

test('an organization that is gone has no keys, and none are made', async () => {
  const id = crypto.randomUUID()
  await expect(controlKeyOf(database.db, id)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await expect(cloudSealKeysOf(database.db, id)).rejects.toMatchObject({ code: 'NOT_FOUND' })
})
