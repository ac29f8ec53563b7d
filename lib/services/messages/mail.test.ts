import { randomUUID } from 'node:crypto'
import type { Sealed } from '@agent-relay/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { listen } from '#lib/realtime/bus.ts'
import { onServer } from '#lib/testing/clone-database.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import { envelopeOf, type LinkedMachine, linkMachine } from '#lib/testing/machines.ts'
import { foundTeam } from '#lib/testing/people.ts'
import { acknowledgeMail, deleteMailbox, deleteReturns } from './acknowledge-mail.ts'
import { readMail, waitingStreams } from './read-mail.ts'
import { MAILBOX_MAX_MESSAGES, type NewMail, storeMail } from './store-mail.ts'

let database: TestDatabase
let team: Awaited<ReturnType<typeof foundTeam>>
let sender: LinkedMachine
let count = 0

beforeAll(async () => {
  database = await createTestDatabase()
  team = await foundTeam(database.db, 'olga', 'Acme')
  sender = await link()
})
afterAll(() => database.drop())

const link = (): Promise<LinkedMachine> => linkMachine(database.db, team.owner, team.org.id, `m${++count}`)

function mailFor(
  to: LinkedMachine,
  seq: number,
  rest: { ttlMs?: number; agent?: string; body?: string; sealed?: Sealed } = {},
): NewMail {
  const { agent = 'Bob', ...fields } = rest
  const envelope = envelopeOf({ machine: sender, agent: 'Alice', epoch: 1 }, { machine: to.id, agent }, seq, {
    ttlMs: 7 * 86_400_000,
    ...fields,
  })
  return { orgId: to.orgId, machineId: to.id, envelope }
}

const receiptFor = (to: LinkedMachine): NewMail => ({
  orgId: to.orgId,
  machineId: to.id,
  returned: {
    from: sender.id,
    batch: { acks: [], gaps: [], receipts: [{ id: randomUUID(), state: 'seen', to: to.id }] },
  },
})

const ackOf = (machine: LinkedMachine, upTo: number, agent = 'Bob') => ({
  machineId: machine.id,
  acks: [{ to: sender.id, stream: `Alice>${agent}`, outboxEpoch: 'e1', upTo }],
})

/** What is counted of this mailbox, which must always be what is in it. */
async function useOf(machine: LinkedMachine): Promise<{ messages: number; bytes: number }> {
  const { db } = database
  const where = { machineId: machine.id }
  const { _sum, _count } = await db.mailboxMessage.aggregate({ where, _sum: { sizeBytes: true }, _count: true })
  const counted = await db.mailboxUse.aggregate({ where, _sum: { messages: true, bytes: true } })
  const use = { messages: counted._sum.messages ?? 0, bytes: Number(counted._sum.bytes ?? 0) }
  expect(use).toEqual({ messages: _count, bytes: _sum.sizeBytes ?? 0 })
  return use
}

const seqs = (mail: Awaited<ReturnType<typeof readMail>>) =>
  mail.map((item) => (item.kind === 'envelope' ? item.envelope.seq : item.kind))

test('what is stored is read in order, page by page, whatever the days in which it expires', async () => {
  const machine = await link()
  const days = [30, 1, 7, 29.9]
  const mail = Array.from({ length: 40 }, (_, seq) =>
    mailFor(machine, seq, { ttlMs: (days[seq % 4] as number) * 86_400_000 }),
  )
  expect(await storeMail(database.db, mail)).toEqual(mail.map(() => true))
  const first = await readMail(database.db, machine.id, { limit: 15 })
  const second = await readMail(database.db, machine.id, { after: first.at(-1)?.id })
  expect(seqs([...first, ...second])).toEqual(mail.map((_, seq) => seq))
  expect(await readMail(database.db, machine.id, { after: second.at(-1)?.id })).toEqual([])
  const [, third] = first
  expect(
    seqs(await readMail(database.db, machine.id, { from: third?.id, except: second.map(({ id }) => id) })),
  ).toEqual(seqs(first).slice(1))
  const { partitions } = (
    await database.db.$queryRaw<{ partitions: number }[]>`
      SELECT count(DISTINCT tableoid)::int AS partitions FROM "MailboxMessage" WHERE "machineId" = ${machine.id}::uuid`
  )[0] as { partitions: number }
  expect(partitions).toBeGreaterThanOrEqual(3)
  await useOf(machine)
})

test('a repeat is stored already, also when it now expires on another day or comes twice in one batch', async () => {
  const machine = await link()
  const mail = mailFor(machine, 0)
  expect(await storeMail(database.db, [mail])).toEqual([true])
  const later = {
    ...mail,
    envelope: { ...(mail as { envelope: object }).envelope, ttlMs: 7.9 * 86_400_000 },
  } as NewMail
  const next = mailFor(machine, 1)
  expect(await storeMail(database.db, [mail, later, next, next])).toEqual([true, true, true, true])
  expect(seqs(await readMail(database.db, machine.id, {}))).toEqual([0, 1])
  expect(await useOf(machine)).toMatchObject({ messages: 2 })
})

test('an acknowledgement deletes its stream up to it and nothing else, many machines in one statement', async () => {
  const [one, other] = [await link(), await link()]
  const both = [one, other].flatMap((machine) =>
    [0, 1, 2].flatMap((seq) => [mailFor(machine, seq), mailFor(machine, seq, { agent: 'Eve' })]),
  )
  await storeMail(database.db, both)
  const gone = await acknowledgeMail(database.db, [ackOf(one, 1), ackOf(one, 0), ackOf(other, 7, 'Eve')])
  expect(gone.get(one.id)).toHaveLength(2)
  expect(gone.get(other.id)).toHaveLength(3)
  expect(seqs(await readMail(database.db, one.id, {}))).toEqual([0, 1, 2, 2])
  expect(await waitingStreams(database.db, other.id)).toEqual([
    { to: sender.id, stream: 'Alice>Bob', outboxEpoch: 'e1', upTo: 2 },
  ])
  expect(await useOf(one)).toMatchObject({ messages: 4 })
  expect(await useOf(other)).toMatchObject({ messages: 3 })
})

test('a full mailbox takes returns, no more envelopes, and envelopes again when some are gone', async () => {
  const machine = await link()
  const mail = Array.from({ length: MAILBOX_MAX_MESSAGES + 2 }, (_, seq) => mailFor(machine, seq))
  const stored = await storeMail(database.db, mail)
  expect(stored.lastIndexOf(true)).toBe(MAILBOX_MAX_MESSAGES - 1)
  expect(stored.slice(0, MAILBOX_MAX_MESSAGES)).not.toContain(false)
  expect(await storeMail(database.db, [receiptFor(machine), ...mail.slice(-2), ...mail.slice(0, 2)])).toEqual([
    ...[true, false, false],
    ...[true, true],
  ])
  await acknowledgeMail(database.db, [ackOf(machine, 0)])
  expect(await storeMail(database.db, mail.slice(-2))).toEqual([true, false])
  expect(await useOf(machine)).toMatchObject({ messages: MAILBOX_MAX_MESSAGES + 1 })
})

test('64 MiB are full, too, and what does not fit holds back what came after it', async () => {
  const machine = await link()
  const body = 'x'.repeat(250_000)
  const big = Array.from({ length: 270 }, (_, seq) => mailFor(machine, seq, { body }))
  const stored = await storeMail(database.db, [...big, mailFor(machine, big.length)])
  const room = stored.indexOf(false)
  expect(room).toBe(Math.floor(((64 * 1024 * 1024) / (await useOf(machine)).bytes) * room))
  expect(stored.slice(room)).not.toContain(true)
})

test('what has expired is not read, and gives its room to what comes', async () => {
  const machine = await link()
  const mail = Array.from({ length: MAILBOX_MAX_MESSAGES }, (_, seq) => mailFor(machine, seq, { ttlMs: 60_000 }))
  await storeMail(database.db, mail)
  const late = mailFor(machine, mail.length)
  expect(await storeMail(database.db, [late])).toEqual([false])
  // A minute later, by moving the rows instead of the clock.
  await database.db.$executeRaw`
    UPDATE "MailboxMessage" SET "expiresAt" = now() - interval '1 ms' WHERE "machineId" = ${machine.id}::uuid`
  expect(await readMail(database.db, machine.id, {})).toEqual([])
  expect(await storeMail(database.db, [late])).toEqual([true])
  expect(seqs(await readMail(database.db, machine.id, {}))).toEqual([mail.length])
})

test('the bus is told of every commit, with the first of its rows', async () => {
  const [one, other] = [await link(), await link()]
  const told: { machineId: string; from: string }[] = []
  const stop = listen('mail', ({ machines }) => told.push(...machines))
  await storeMail(database.db, [mailFor(one, 0), mailFor(other, 0), mailFor(one, 1)])
  stop()
  expect(told.map(({ machineId }) => machineId)).toEqual([one.id, other.id])
  for (const { machineId, from } of told)
    expect((await readMail(database.db, machineId, { from }))[0]).toMatchObject({ id: from, envelope: { seq: 0 } })
})

test('the bus is told of a batch that failed, too, for it may be committed all the same', async () => {
  const machine = await link()
  const told: string[] = []
  const stop = listen('mail', ({ machines }) => told.push(...machines.map(({ machineId }) => machineId)))
  await onServer(database.url, 'ALTER TABLE "MailboxUse" RENAME TO "Away"')
  await expect(storeMail(database.db, [mailFor(machine, 0)])).rejects.toThrow()
  await onServer(database.url, 'ALTER TABLE "Away" RENAME TO "MailboxUse"')
  stop()
  expect(told).toEqual([machine.id])
})

test('returns leave by their ids and envelopes never do; a revoked machine leaves nothing', async () => {
  const machine = await link()
  await storeMail(database.db, [receiptFor(machine), mailFor(machine, 0)])
  const ids = (await readMail(database.db, machine.id, {})).map(({ id }) => id)
  await deleteReturns(database.db, machine.id, ids)
  expect(seqs(await readMail(database.db, machine.id, {}))).toEqual([0])
  expect(await useOf(machine)).toMatchObject({ messages: 1 })
  await deleteMailbox(database.db, machine.id)
  expect(await useOf(machine)).toEqual({ messages: 0, bytes: 0 })
})

const sealedBy = (by: string, data = 'A'.repeat(60)): Sealed => ({ by: by.repeat(11), to: 'T'.repeat(11), data })

test('a message that comes again under another seal waits under that, in its old place', async () => {
  const { db } = database
  const bob = await link()
  const first = mailFor(bob, 0, { body: '', sealed: sealedBy('A') })
  const next = mailFor(bob, 1, { body: '', sealed: sealedBy('A') })
  await storeMail(db, [first, next])
  const [before] = await readMail(db, bob.id, {})
  const again = (sealed: Sealed | undefined, body = ''): NewMail => {
    if (!('envelope' in first)) throw new Error('an envelope')
    const { sealed: _, ...envelope } = first.envelope
    return { ...first, envelope: { ...envelope, body, ...(sealed && { sealed }) } }
  }
  const seals = async () =>
    (await readMail(db, bob.id, {})).map((mail) => mail.kind === 'envelope' && mail.envelope.sealed)
  expect(await storeMail(db, [again(sealedBy('A', 'B'.repeat(60)))])).toEqual([true])
  expect(await seals()).toEqual([sealedBy('A'), sealedBy('A')])
  expect(await storeMail(db, [again(sealedBy('B', 'B'.repeat(90)))])).toEqual([true])
  expect(await seals()).toEqual([sealedBy('B', 'B'.repeat(90)), sealedBy('A')])
  expect((await readMail(db, bob.id, {}))[0]?.id).toBe(before?.id)
  expect((await useOf(bob)).messages).toBe(2)
  // What is sealed is not replaced by anything in the clear.
  await storeMail(db, [again(undefined, 'clear')])
  expect((await seals())[0]).toEqual(sealedBy('B', 'B'.repeat(90)))
  await acknowledgeMail(db, [ackOf(bob, 1)])
  expect(await useOf(bob)).toEqual({ messages: 0, bytes: 0 })
})

test('what waited in the clear waits sealed once it comes so, whatever its body says', async () => {
  const { db } = database
  const bob = await link()
  const seal = sealedBy('A')
  const clear = mailFor(bob, 0, { body: `\0 \ud800 "by":"${seal.by}","to":"${seal.to}"` })
  await storeMail(db, [clear])
  if (!('envelope' in clear)) throw new Error('an envelope')
  await storeMail(db, [{ ...clear, envelope: { ...clear.envelope, body: '', sealed: seal } }])
  expect(await readMail(db, bob.id, {})).toMatchObject([{ envelope: { body: '', sealed: seal } }])
  await useOf(bob)
})

test('only the machine that sent a message seals it anew', async () => {
  const { db } = database
  const bob = await link()
  const eve = await link()
  const own = mailFor(bob, 0, { body: '', sealed: sealedBy('A') })
  await storeMail(db, [own])
  if (!('envelope' in own)) throw new Error('an envelope')
  const from = { ...own.envelope.from, machine: eve.id }
  await storeMail(db, [{ ...own, envelope: { ...own.envelope, from, sealed: sealedBy('E') } }])
  expect(await readMail(db, bob.id, {})).toMatchObject([{ envelope: { sealed: sealedBy('A') } }])
})
