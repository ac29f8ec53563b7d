/** The archive from a machine's socket to a member's page, against the real gateway. */
import { randomUUID } from 'node:crypto'
import { MAX_SEALED_LENGTH, type Sealed, type TraceReport } from '@agent-relay/protocol'
import { ARCHIVE, createSealBox, newKeyPair, type SealBox } from '@agent-relay/protocol/crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type OrgCtx, requireMembership } from '#lib/access/authorize.ts'
import { chores } from '#lib/jobs/chores.ts'
import type { UserActor } from '#lib/services/context.ts'
import { nextRowId } from '#lib/services/messages/row-id.ts'
import { getOrg } from '#lib/services/orgs/get-org.ts'
import { setArchive } from '#lib/services/orgs/set-archive.ts'
import { getMessage } from '#lib/services/reads/get-message.ts'
import { listMessages } from '#lib/services/reads/list-messages.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import {
  connectMachine,
  type LinkedMachine,
  linkMachine,
  type MachineClient,
  makeSealKey,
  startGateway,
  type TestGateway,
  testLog,
} from '#lib/testing/machines.ts'
import { contextOf, foundTeam, signUp } from '#lib/testing/people.ts'

let database: TestDatabase
let gateway: TestGateway
let ctx: OrgCtx<UserActor>
let orgId: string
let alice: Sender
let eve: Sender
const warnings: unknown[] = []

type Sender = { machine: LinkedMachine; client: MachineClient; box: SealBox }

beforeAll(async () => {
  database = await createTestDatabase()
  gateway = await startGateway(database.db, { log: { ...testLog, warn: (fields) => void warnings.push(fields) } })
  const team = await foundTeam(database.db, 'olga', 'Acme')
  orgId = team.org.id
  ctx = await requireMembership(contextOf(database.db, team.owner), orgId)
  alice = await sender('alice')
  eve = await sender('eve')
})
afterAll(async () => {
  for (const { client } of [alice, eve]) await client.close()
  await gateway.close()
  await database.drop()
})

async function sender(name: string): Promise<Sender> {
  const machine = await linkMachine(database.db, ctx.actor, orgId, name)
  const { pair, seal } = makeSealKey(machine)
  const client = await connectMachine(gateway.url, machine, { says: { seals: [seal] } })
  return { machine, client, box: createSealBox([pair]) }
}

type Wanted = Partial<TraceReport> & { body?: string }

/** A report as a daemon sends it, with the body sealed to the archive that its roster names. */
function reportOf({ machine, client, box }: Sender, { body = 'the body', ...more }: Wanted = {}): TraceReport {
  const id = more.id ?? nextRowId()
  const key = client.roster.archive ?? newKeyPair('X25519').publicKey
  const sealed = box.sealText({ org: orgId, from: machine.id, to: ARCHIVE }, ['archive', id], body, key)
  return {
    ...{ id, from: 'Alice', to: 'Bob', toMachine: eve?.machine.id ?? machine.id, sizeBytes: 8, ts: Date.now() },
    ...{ state: 'accepted', path: 'direct', tookMs: 3, hops: [], sealed },
    ...more,
  }
}

const report = async ({ client }: Sender, ...traces: TraceReport[]) =>
  expect(await client.ask('traces', { traces })).toEqual({ ok: true, value: { done: true } })
const bodyOf = async ({ id }: { id: string }) => (await getMessage(ctx, { id })).body
const found = async (q: string, filter: object = {}) =>
  (await listMessages(ctx, { q, ...filter })).rows.map(({ id }) => id)

async function turn(isOn: boolean): Promise<void> {
  await setArchive(ctx, { isOn })
  for (const { client } of [alice, eve]) await client.until(() => (client.roster.archive !== null) === isOn)
}

test('while it is off no body is stored, whatever a machine sends', async () => {
  const sent = reportOf(alice)
  await report(alice, sent)
  expect(await bodyOf(sent)).toBeNull()
  expect(await database.db.archivedMessage.count()).toBe(0)
})

test('owners and admins turn it on, audited once; machines hear of it, members read what it has', async () => {
  const member = await signUp(database.db, 'mia')
  await database.db.membership.create({ data: { orgId, userId: member.userId, role: 'member' } })
  const asMember = await requireMembership(contextOf(database.db, member), orgId)
  await expect(setArchive(asMember, { isOn: true })).rejects.toMatchObject({ code: 'FORBIDDEN' })
  await turn(true)
  await setArchive(ctx, { isOn: true })
  const entries = await database.db.auditEntry.findMany({ where: { orgId, action: 'org.archive' } })
  expect(entries).toMatchObject([{ actorLabel: ctx.actor.label, before: { archive: false }, after: { archive: true } }])
  const sent = reportOf(alice, { body: 'for all members' })
  await report(alice, sent)
  expect((await getMessage(asMember, { id: sent.id })).body).toBe('for all members')
  expect(
    (await getOrg(await requireMembership(contextOf(database.db, ctx.actor), orgId))).archiveSince,
  ).toBeGreaterThan(0)
})

test('a body is archived once, with what Postgres cannot hold made plain, and later reports do not change it', async () => {
  const sent = reportOf(alice, { body: 'a\0b\ud800 🚀' })
  await report(alice, { ...sent, state: 'stored' })
  await report(alice, { ...reportOf(alice, { ...sent, body: 'another' }), state: 'seen' })
  expect(await bodyOf(sent)).toBe('a\ufffdb\ufffd 🚀')
  const { sealed: _, ...plain } = sent
  await report(alice, { ...plain, state: 'seen' })
  expect(await bodyOf(sent)).toBe('a\ufffdb\ufffd 🚀')
})

test('a machine archives its own messages only', async () => {
  const { sealed: _, ...own } = reportOf(alice)
  await report(alice, own)
  await report(eve, reportOf(eve, { id: own.id, body: 'forged' }))
  expect(await bodyOf(own)).toBeNull()
  await report(eve, { ...reportOf(alice, { body: 'of alice' }), id: nextRowId() })
  expect(await database.db.archivedMessage.count({ where: { body: { in: ['forged', 'of alice'] } } })).toBe(0)
})

test('what was changed, is for another archive, or is too large, is left out, and the others of its batch are not', async () => {
  const good = reportOf(alice, { body: 'good' })
  const spoil = (change: (sealed: Sealed) => Sealed): TraceReport => {
    const one = reportOf(alice)
    return { ...one, sealed: change(one.sealed as Sealed) }
  }
  const bad = [
    spoil((sealed) => ({ ...sealed, data: `A${sealed.data.slice(1)}`, to: 'A'.repeat(11) })),
    spoil((sealed) => ({ ...sealed, data: 'A'.repeat(60) })),
    spoil((sealed) => ({ ...sealed, data: 'A'.repeat(MAX_SEALED_LENGTH + 1) })),
    reportOf(alice, { body: 'x'.repeat(256 * 1024 + 1) }),
  ]
  await report(alice, ...bad, good)
  expect(await bodyOf(good)).toBe('good')
  for (const one of bad) expect(await bodyOf(one)).toBeNull()
  expect(warnings).toContainEqual({ count: bad.length })
})

test('what is between a person and others stays theirs, whatever a machine sends', async () => {
  const sent = reportOf(alice, { to: '@olga' as TraceReport['to'], toMachine: orgId })
  await report(alice, sent)
  expect(await bodyOf(sent)).toBeNull()
})

test('bodies are found by their words, in any of them, within the filter, page by page, and never another organization’s', async () => {
  const other = await foundTeam(database.db, 'otto', 'Other')
  const now = Date.now()
  const word = `zebra${randomUUID().slice(0, 8)}`
  const some = Array.from({ length: 7 }, (_, n) =>
    reportOf(alice, {
      body: `Deploy ${word} number ${n}: /etc/x-${n}.conf`,
      ts: now - n * 1_000,
      state: n % 2 ? 'failed' : 'seen',
    }),
  )
  await report(alice, ...some)
  await database.db.$executeRaw`
    INSERT INTO "ArchivedMessage" ("orgId", "messageId", body, "sentAt")
    VALUES (${other.org.id}::uuid, ${some[0]?.id}::uuid, ${`${word} elsewhere`}, now())`
  const ids = some.map(({ id }) => id)
  expect(await found(word.toUpperCase())).toEqual(ids)
  expect(await found(`${word} deploy`)).toEqual(ids)
  expect(await found(`"number 3" ${word}`)).toEqual([ids[3]])
  expect(await found(`${word} elsewhere`)).toEqual([])
  expect(await found(word, { state: 'failed' })).toEqual(ids.filter((_, n) => n % 2))
  expect(await found(word, { since: now - 2_500 })).toEqual(ids.slice(0, 3))
  const paged: string[] = []
  let cursor: string | null = null
  do {
    const page: Awaited<ReturnType<typeof listMessages>> = await listMessages(ctx, { q: word, limit: 2, cursor })
    paged.push(...page.rows.map(({ id }) => id))
    cursor = page.nextCursor
  } while (cursor)
  expect(paged).toEqual(ids)
  const theirs = await requireMembership(contextOf(database.db, other.owner), other.org.id)
  expect((await listMessages(theirs, { q: word })).rows).toEqual([])
  for (const odd of ['%', "'", '"', '!!', ':*', '& |', '\\', `a\0b`, '\ud800', 'x'.repeat(5_000)]) await found(odd)
})

test('the largest bodies of every kind can be archived and found', async () => {
  const size = 256 * 1024
  const fill = (part: (n: number) => string): string => {
    let text = ''
    for (let n = 0; text.length < size; n++) text += part(n)
    return text.slice(0, size)
  }
  const bodies = [
    fill((n) => `${n.toString(36)} `),
    fill((n) => `${n.toString(36)}-${(n * 7).toString(36)}-${(n * 13).toString(36)} `),
    fill((n) => `http://h${n}.de/p${n}/${n.toString(36)}?q=${n} `),
    fill((n) => `a${n}@b${n.toString(36)}.org `),
    fill((n) => `/${n.toString(36)}`),
    fill((n) => `${n}.${n}e${n % 300} `),
    fill((n) => `${n.toString(36)}-`),
    'x'.repeat(size),
    '日'.repeat(Math.floor(size / 3)),
    fill(() => '\ud800').slice(0, Math.floor(size / 3)),
    ' '.repeat(size),
    '\0'.repeat(Math.floor(size / 3)),
  ]
  for (const [n, filled] of bodies.entries()) {
    const body = `mark${n}kind ${filled.slice(0, -20)}`
    const sent = reportOf(alice, { body })
    await report(alice, sent)
    expect((await bodyOf(sent))?.length).toBe(body.length)
    expect(await found(`mark${n}kind`)).toEqual([sent.id])
  }
})

test('turned off, nothing new comes in, and what it has stays until it is 30 days old', async () => {
  const before = reportOf(alice, { body: 'before' })
  await report(alice, before)
  const old = alice.client.roster.archive as string
  await turn(false)
  const after = reportOf(alice)
  const way = { org: orgId, from: alice.machine.id, to: ARCHIVE }
  await report(alice, { ...after, sealed: alice.box.sealText(way, ['archive', after.id], 'late', old) })
  expect(await bodyOf(after)).toBeNull()
  expect(await bodyOf(before)).toBe('before')
  const count = await database.db.archivedMessage.count()
  const days = (n: number) => new Date(Date.now() - n * 86_400_000)
  await database.db.archivedMessage.updateMany({ where: { messageId: before.id }, data: { sentAt: days(29) } })
  await chores['traces.expire'].run(database.db)
  expect(await database.db.archivedMessage.count()).toBe(count)
  await database.db.archivedMessage.updateMany({ where: { messageId: before.id }, data: { sentAt: days(31) } })
  await chores['traces.expire'].run(database.db)
  expect(await database.db.archivedMessage.count()).toBe(count - 1)
})
