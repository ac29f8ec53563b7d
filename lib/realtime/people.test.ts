/** Machines write to people and channels, and people to agents: the control plane as recipient and as sender. */
import { type Envelope, nameKey, type RelayResult, type ReturnBatch } from '@agent-relay/protocol'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { requireMembership } from '#lib/access/authorize.ts'
import type { UserActor } from '#lib/services/context.ts'
import { getConversation } from '#lib/services/inbox/get-conversation.ts'
import { INBOX_MESSAGES } from '#lib/services/inbox/limits.ts'
import { listConversations } from '#lib/services/inbox/list-conversations.ts'
import { markRead } from '#lib/services/inbox/mark-read.ts'
import { receiveEnvelopes } from '#lib/services/inbox/receive-envelopes.ts'
import { expireDeliveries, forgetOld, remind } from '#lib/services/inbox/retention.ts'
import { sendAsPerson } from '#lib/services/inbox/send-as-person.ts'
import { revokeMachine } from '#lib/services/machines/revoke-machine.ts'
import { nextRowId } from '#lib/services/messages/row-id.ts'
import { MAILBOX_MAX_MESSAGES } from '#lib/services/messages/store-mail.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import {
  connectMachine,
  envelopeOf,
  type LinkedMachine,
  linkMachine,
  type MachineClient,
  startGateway,
  type TestGateway,
} from '#lib/testing/machines.ts'
import { contextOf, foundTeam } from '#lib/testing/people.ts'

let database: TestDatabase
let gateway: TestGateway
let owner: UserActor
let orgId: string
let count = 0
const open: MachineClient[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  const team = await foundTeam(database.db, 'Olga', 'Acme')
  owner = team.owner
  orgId = team.org.id
})
afterAll(() => database.drop())
beforeEach(async () => {
  gateway = await startGateway(database.db)
})
afterEach(async () => {
  for (const client of open.splice(0)) await client.close()
  await gateway.close()
})

type Said = Required<ReturnBatch>
type Client = MachineClient & { readonly said: Said }

/** A connected machine, and what the control plane has said to it of its messages. */
async function connect(machine?: LinkedMachine): Promise<Client> {
  const linked = machine ?? (await linkMachine(database.db, owner, orgId, `m${++count}`))
  const client = await connectMachine(gateway.url, linked)
  open.push(client)
  return Object.defineProperty(client, 'said', {
    get(): Said {
      const batches = client.returned.filter(({ from }) => from === orgId).map(({ batch }) => batch)
      return {
        acks: batches.flatMap(({ acks }) => acks),
        gaps: batches.flatMap(({ gaps }) => gaps),
        receipts: batches.flatMap(({ receipts }) => receipts),
        heard: batches.flatMap(({ heard = [] }) => heard),
      }
    },
  }) as Client
}

const ofOlga = async () => requireMembership(contextOf(database.db, owner), orgId)

async function relay(client: MachineClient, envelopes: Envelope[]): Promise<RelayResult[]> {
  const answer = await client.ask('relay', { envelopes })
  if (!answer.ok) throw answer.error
  return (answer.value as { results: RelayResult[] }).results
}

/** An agent with a name of its own, and its envelopes to `@olga` or another place at the control plane. */
async function writer(client: MachineClient) {
  const agent = `Writer${++count}`
  const from = { machine: client.machine, agent, epoch: await client.claim(agent) }
  const ids = new Map<string, string>()
  const to = (place: { user: string } | { channel: string }, seq: number, rest: Partial<Envelope> = {}): Envelope => {
    const stream = `${agent}>${JSON.stringify(place)}`
    const id = ids.get(`${stream} ${seq}`) ?? nextRowId()
    ids.set(`${stream} ${seq}`, id)
    return envelopeOf(from, { machine: orgId, agent: 'dashboard', ...place }, seq, { id, stream, ...rest })
  }
  return { agent, to, bodies: async () => (await page(agent)).map(({ body }) => body) }
}

const page = async (agent: string) => (await getConversation(await ofOlga(), { key: `agent:${nameKey(agent)}` })).rows

const olga = { user: 'OLGA' }
const ackedTo = (client: Client): number => Math.max(-1, ...client.said.acks.map(({ upTo }) => upTo))

test('what an agent writes to a person is in their inbox once and in order, however often and in whatever order it comes', async () => {
  const client = await connect()
  const { to, bodies } = await writer(client)
  const sent = Array.from({ length: 300 }, (_, seq) => to(olga, seq))
  await relay(client, sent.slice(0, 100))
  await Promise.all([relay(client, sent.slice(0, 200)), relay(client, sent.slice(50, 150))])
  await relay(client, sent.slice(100, 200).reverse())
  await client.until(() => ackedTo(client) === 199)
  await gateway.close()
  gateway = await startGateway(database.db)
  const again = await connect(client.machine)
  await relay(again, sent)
  await again.until(() => ackedTo(again) === 299)
  await relay(again, sent.slice(290))
  await again.until(() => again.said.acks.length > 1 && ackedTo(again) === 299)
  const rows = await database.db.dashboardMessage.findMany({
    where: { fromMachineId: client.machine.id },
    orderBy: { id: 'asc' },
  })
  expect(rows.map(({ body }) => body)).toEqual(sent.map(({ body }) => body))
  expect(await bodies()).toEqual(sent.slice(-50).map(({ body }) => body))
})

test('a missing message is asked for, and nothing after it counts before it is there', async () => {
  const client = await connect()
  const { to, bodies } = await writer(client)
  await relay(client, [to(olga, 0), to(olga, 2), to(olga, 3)])
  await client.until(() => client.said.gaps.length > 0)
  expect(client.said.gaps).toMatchObject([{ next: 1, to: client.machine.id, outboxEpoch: 'e1' }])
  expect(ackedTo(client)).toBe(0)
  expect(await bodies()).toEqual(['message 0'])
  await relay(client, [to(olga, 1, { isVoid: true, body: '' }), to(olga, 2), to(olga, 3)])
  await client.until(() => ackedTo(client) === 3)
  expect(await bodies()).toEqual(['message 0', 'message 2', 'message 3'])
})

test('a control plane that died between the commit and the acknowledgement says it again and stores nothing twice', async () => {
  const client = await connect()
  const { to, bodies } = await writer(client)
  const sent = [to(olga, 0), to(olga, 1)]
  // The commit of a process whose answer never left.
  await receiveEnvelopes(database.db, { orgId, machineId: client.machine.id }, sent)
  expect(client.said.acks).toEqual([])
  await relay(client, sent)
  await client.until(() => ackedTo(client) === 1)
  expect(await bodies()).toEqual(['message 0', 'message 1'])
})

test('a stream whose name Postgres cannot hold has its watermark all the same', async () => {
  const client = await connect()
  const { to, bodies } = await writer(client)
  const sent = [0, 1].map((seq) => to(olga, seq, { stream: 'a\0b\ud800', body: `x\0${seq}` }))
  for (let round = 1; round <= 3; round++) {
    await relay(client, sent)
    await client.until(() => client.said.acks.filter(({ upTo }) => upTo === 1).length >= round)
  }
  expect(client.said.acks[0]?.stream).toBe('a\0b\ud800')
  expect(await bodies()).toEqual(['x\ufffd0', 'x\ufffd1'])
})

test('a message to nobody is refused with its acknowledgement, and said again until its machine has heard', async () => {
  const client = await connect()
  const { to } = await writer(client)
  const lost = to({ user: 'nobody' }, 0)
  await relay(client, [lost])
  await client.until(() => ackedTo(client) === 0)
  const receipt = {
    id: lost.id,
    state: 'failed' as const,
    to: client.machine.id,
    reason: 'NOT_FOUND',
    note: 'nobody in the organization is @nobody',
  }
  expect(client.said.receipts).toEqual([receipt])
  await client.close()
  const again = await connect(client.machine)
  await again.until(() => again.said.receipts.length > 0)
  expect(again.said.receipts).toEqual([receipt])
  const heard = [{ id: lost.id, state: 'failed' as const, to: orgId }]
  await again.ask('return', { acks: [], gaps: [], receipts: [], heard })
  expect(await database.db.owedReceipt.count({ where: { machineId: client.machine.id } })).toBe(0)
})

test('a full inbox takes nothing, asks for nothing, and goes on once its person has read', async () => {
  const client = await connect()
  const { agent, to, bodies } = await writer(client)
  const { id: agentId } = await database.db.agent.findFirstOrThrow({ where: { orgId, name: agent } })
  await database.db.$executeRaw`
    INSERT INTO "DashboardMessage" (id, "orgId", "userId", "agentId", "fromName", "messageId", body, "sizeBytes", "sentAt")
    SELECT uuidv7(), ${orgId}::uuid, ${owner.userId}::uuid, ${agentId}::uuid, ${agent}, uuidv7(), 'old', 3, now()
    FROM generate_series(1, ${INBOX_MESSAGES}::int)`
  await relay(client, [to(olga, 0), to(olga, 1)])
  await relay(client, [to(olga, 1)])
  // An answer about another stream comes after theirs.
  await relay(client, [to({ user: 'nobody' }, 0)])
  await client.until(() => client.said.receipts.length > 0)
  expect(client.said.gaps).toEqual([])
  expect(client.said.acks.filter(({ upTo }) => upTo >= 0)).toHaveLength(1)
  await markRead(await ofOlga(), { key: `agent:${agent}` })
  await relay(client, [to(olga, 0), to(olga, 1)])
  await client.until(() => ackedTo(client) === 1)
  expect((await bodies()).slice(-2)).toEqual(['message 0', 'message 1'])
})

test('only the dashboard speaks for a person', async () => {
  const client = await connect()
  const { to } = await writer(client)
  const one = to(olga, 0)
  const [result] = await relay(client, [{ ...one, from: { ...one.from, user: 'olga' } }])
  expect(result).toMatchObject({ state: 'refused', error: { code: 'FORBIDDEN' } })
  const [other] = await relay(client, [
    { ...one, from: { machine: orgId, agent: 'dashboard', epoch: 1, user: 'olga' } },
  ])
  expect(other).toMatchObject({ state: 'refused', error: { code: 'FORBIDDEN' } })
})

test('what a person reads is seen, and its sender hears of it, also when it is away meanwhile', async () => {
  const client = await connect()
  const { agent, to } = await writer(client)
  const sent = [0, 1, 2].map((seq) => to(olga, seq))
  await relay(client, sent)
  await client.until(() => ackedTo(client) === 2)
  const key = `agent:${nameKey(agent)}`
  const ctx = await ofOlga()
  expect((await listConversations(ctx)).find((row) => row.key === key)).toMatchObject({ unread: 3, lastFrom: agent })
  await markRead(ctx, { key, upTo: sent[0]?.id })
  await client.until(() => client.said.receipts.length > 0)
  expect(client.said.receipts).toEqual([{ id: sent[0]?.id, state: 'seen', to: client.machine.id }])
  await client.close()
  await markRead(ctx, { key })
  const again = await connect(client.machine)
  await again.until(() => again.said.receipts.length === 3)
  expect(again.said.receipts.map(({ id }) => id).sort()).toEqual(sent.map(({ id }) => id).sort())
  expect((await listConversations(ctx)).find((row) => row.key === key)).toMatchObject({ unread: 0 })
})

test('a person’s message reaches its agent, its states come back, and each receipt is answered', async () => {
  const client = await connect()
  const { agent } = await writer(client)
  const ctx = await ofOlga()
  const { id } = await sendAsPerson(ctx, { to: agent, body: 'how is it going?' })
  await client.until(() => client.delivered.length === 1)
  const { stream, outboxEpoch, from } = client.delivered[0] as Envelope
  expect(from).toEqual({ machine: orgId, agent: 'dashboard', epoch: 1, user: 'Olga' })
  const state = async () => (await page(agent)).at(-1)?.receipts
  expect(await state()).toMatchObject([{ to: agent, state: 'stored' }])
  const ack = { stream, outboxEpoch, upTo: 0, to: orgId }
  await client.ask('return', { acks: [ack], gaps: [], receipts: [] })
  expect(await state()).toMatchObject([{ state: 'accepted' }])
  expect(await database.db.mailboxMessage.count({ where: { machineId: client.machine.id } })).toBe(0)
  const seen = { id, state: 'seen' as const, to: orgId }
  await client.ask('return', { acks: [], gaps: [], receipts: [seen, { ...seen, state: 'injected' }] })
  expect(await state()).toMatchObject([{ state: 'seen' }])
  await client.until(() => client.said.heard.length === 2)
  expect(client.said.heard).toEqual([
    { id, state: 'seen', to: client.machine.id },
    { id, state: 'injected', to: client.machine.id },
  ])
  expect(await database.db.messageTrace.findFirstOrThrow({ where: { messageId: id } })).toMatchObject({
    state: 'seen',
    tookMs: expect.any(Number),
  })
})

test('what expired is an empty place that its recipient is given, and the stream goes on', async () => {
  const machine = await linkMachine(database.db, owner, orgId, `m${++count}`)
  const first = await connect(machine)
  const { agent } = await writer(first)
  await first.close()
  const ctx = await ofOlga()
  const bodies = ['too late', 'still good', 'last']
  const ids: string[] = []
  for (const body of bodies) ids.push((await sendAsPerson(ctx, { to: agent, body })).id)
  await database.db.personDelivery.update({ where: { id: ids[0] as string }, data: { expiresAt: new Date(0) } })
  // Its row is gone from the mailbox, and so is another's: a mailbox may lose what its sender still has.
  await database.db.mailboxMessage.deleteMany({ where: { messageId: { in: ids.slice(0, 2) } } })
  await expireDeliveries(database.db)
  expect((await page(agent)).map(({ receipts }) => receipts?.[0])).toMatchObject([
    { state: 'failed', reason: 'EXPIRED' },
    { state: 'stored' },
    { state: 'stored' },
  ])
  const client = await connect(machine)
  await client.until(() => client.delivered.length === 1)
  const { stream, outboxEpoch } = client.delivered[0] as Envelope
  await client.ask('return', { acks: [], gaps: [{ stream, outboxEpoch, next: 0, to: orgId }], receipts: [] })
  await client.until(() => new Set(client.delivered.map(({ seq }) => seq)).size === 3)
  const bySeq = new Map(client.delivered.map((envelope) => [envelope.seq, envelope]))
  expect(bySeq.get(0)).toMatchObject({ isVoid: true, body: '' })
  expect(bySeq.get(1)).toMatchObject({ id: ids[1], body: 'still good' })
  await client.ask('return', { acks: [{ stream, outboxEpoch, upTo: 2, to: orgId }], gaps: [], receipts: [] })
  expect((await page(agent)).map(({ receipts }) => receipts?.[0]?.state)).toEqual(['failed', 'accepted', 'accepted'])
})

test('what a connected machine leaves unanswered is said again', async () => {
  const client = await connect()
  const { agent, to } = await writer(client)
  const { id } = await sendAsPerson(await ofOlga(), { to: agent, body: 'are you there?' })
  await client.until(() => client.delivered.length === 1)
  await relay(client, [to({ user: 'nobody' }, 0)])
  // Beside the acknowledgement, or with what is owed at a connection: both may come.
  await client.until(() => client.said.receipts.length > 0 && ackedTo(client) === 0)
  const told = client.said.receipts.length
  const before = new Date(Date.now() - 120_000)
  await database.db.dashboardMessage.update({ where: { id }, data: { storedAt: before } })
  await database.db.owedReceipt.updateMany({ where: { machineId: client.machine.id }, data: { createdAt: before } })
  await remind(database.db)
  await client.until(() => client.delivered.length > 1 && client.said.receipts.length > told)
  expect(client.delivered[1]?.id).toBe(id)
})

test('what a full mailbox does not take stays queued, and goes out when there is room', async () => {
  const asleep = await connect()
  const { agent } = await writer(asleep)
  await asleep.close()
  const client = await connect()
  const name = `Filler${++count}`
  const from = { machine: client.machine, agent: name, epoch: await client.claim(name) }
  const filling = Array.from({ length: MAILBOX_MAX_MESSAGES }, (_, seq) =>
    envelopeOf(from, { machine: asleep.machine.id, agent }, seq),
  )
  for (let at = 0; at < filling.length; at += 500) await relay(client, filling.slice(at, at + 500))
  const { id } = await sendAsPerson(await ofOlga(), { to: agent, body: 'one too many' })
  const states = async () => (await page(agent)).map(({ receipts }) => receipts?.[0]?.state)
  expect(await states()).toEqual(['queued'])
  const back = await connect(asleep.machine)
  const { stream, outboxEpoch } = filling[0] as Envelope
  const ack = { stream, outboxEpoch, upTo: filling.length - 1, to: client.machine.id }
  await back.until(() => back.delivered.length >= filling.length)
  await back.ask('return', { acks: [ack], gaps: [], receipts: [] })
  await database.db.dashboardMessage.update({ where: { id }, data: { storedAt: new Date(Date.now() - 120_000) } })
  await remind(database.db)
  expect(await states()).toEqual(['stored'])
  await back.until(() => back.delivered.some((envelope) => envelope.id === id))
}, 60_000)

test('a person’s message follows its agent to another machine when the old one refuses it', async () => {
  const [old, next] = [await connect(), await connect()]
  const { agent } = await writer(old)
  const ctx = await ofOlga()
  const { id } = await sendAsPerson(ctx, { to: agent, body: 'find me' })
  await old.until(() => old.delivered.length === 1)
  await old.ask('agents.release', { name: agent })
  await next.claim(agent)
  const { stream, outboxEpoch } = old.delivered[0] as Envelope
  const refusal = { id, state: 'failed' as const, to: orgId, reason: 'NOT_FOUND' as const }
  await old.ask('return', { acks: [{ stream, outboxEpoch, upTo: 0, to: orgId }], gaps: [], receipts: [refusal] })
  await next.until(() => next.delivered.length === 1)
  expect(next.delivered[0]).toMatchObject({ id, seq: 0, body: 'find me', to: { machine: next.machine.id } })
  expect((await page(agent)).at(-1)?.receipts).toMatchObject([{ state: 'stored' }])
  await next.ask('return', { acks: [], gaps: [], receipts: [refusal] })
  expect((await page(agent)).at(-1)?.receipts).toMatchObject([{ state: 'failed', reason: 'NOT_FOUND' }])
})

test('an agent makes a channel by joining it, and everybody’s roster, history and list have it', async () => {
  const [left, right] = [await connect(), await connect()]
  const [a, b] = [await writer(left), await writer(right)]
  const name = `Ops${count}`
  expect(await left.ask('channels.join', { agent: a.agent, channel: `#${name}` })).toEqual({
    ok: true,
    value: { channel: name, isNew: true },
  })
  // The delta came before the answer.
  expect(left.roster.channels?.find((channel) => channel.name === name)?.members).toEqual([nameKey(a.agent)])
  expect(await right.ask('channels.join', { agent: a.agent, channel: name })).toMatchObject({
    ok: false,
    error: { code: 'NOT_FOUND', message: expect.stringContaining('not an agent of this machine') },
  })
  expect(await right.ask('channels.join', { agent: b.agent, channel: nameKey(name) })).toMatchObject({
    value: { channel: name, isNew: false },
  })
  await relay(left, [a.to({ channel: name }, 0, { thread: 't' })])
  await left.until(() => ackedTo(left) === 0)
  await sendAsPerson(await ofOlga(), { to: `#${name}`, body: 'noted' })
  await right.until(() => right.delivered.length === 1)
  expect(right.delivered[0]?.to).toMatchObject({ agent: b.agent, channel: name, via: `#${name}` })
  const history = await right.ask('channels.history', { channel: name })
  expect(history).toMatchObject({
    value: {
      channel: name,
      messages: [
        { from: a.agent, fromMachine: left.machine.name, body: 'message 0', thread: 't' },
        { from: '@Olga', fromMachine: null, body: 'noted' },
      ],
      next: null,
    },
  })
  const [newest] = (
    (await right.ask('channels.history', { channel: name, limit: 1 })) as { value: { messages: { id: string }[] } }
  ).value.messages
  expect(await right.ask('channels.history', { channel: name, limit: 1, before: newest?.id as string })).toMatchObject({
    value: { messages: [{ body: 'message 0' }], next: null },
  })
  // An agent answers the copy that it got; in the history it is the answer to what Olga wrote.
  await relay(right, [b.to({ channel: name }, 0, { replyTo: right.delivered[0]?.id as string })])
  await right.until(() => ackedTo(right) === 0)
  const shown = await getConversation(await ofOlga(), { key: `channel:${nameKey(name)}` })
  expect(shown.rows.at(-1)).toMatchObject({ from: b.agent, replyTo: shown.rows[1]?.id })
  expect(await right.ask('channels.leave', { agent: b.agent, channel: name })).toMatchObject({ ok: true })
  expect(right.roster.channels?.find((channel) => channel.name === name)?.members).toEqual([nameKey(a.agent)])
  await revokeMachine(contextOf(database.db, owner), { org: orgId, machineId: left.machine.id })
  await right.until(() => right.roster.channels?.find((channel) => channel.name === name)?.members.length === 0)
})

test('a channel of another organization is not there', async () => {
  const other = await foundTeam(database.db, 'fred', 'Foreign')
  const foreign = await linkMachine(database.db, other.owner, other.org.id, 'theirs')
  const theirs = await connectMachine(gateway.url, foreign)
  open.push(theirs)
  await theirs.claim('Fred1')
  await theirs.ask('channels.join', { agent: 'Fred1', channel: 'secret' })
  const client = await connect()
  const { to } = await writer(client)
  expect(await client.ask('channels.history', { channel: 'secret' })).toMatchObject({ error: { code: 'NOT_FOUND' } })
  const results = await relay(client, [to({ channel: 'secret' }, 0), to({ user: 'fred' }, 0), envelopeTo(to)])
  expect(results.map(({ state }) => state)).toEqual(['carried', 'carried', 'refused'])
  await client.until(() => client.said.receipts.length === 2)
  expect(client.said.receipts.map(({ reason }) => reason)).toEqual(['NOT_FOUND', 'NOT_FOUND'])
  expect(await database.db.dashboardMessage.count({ where: { orgId: other.org.id } })).toBe(0)

  function envelopeTo(make: typeof to): Envelope {
    const one = make({ user: 'fred' }, 1)
    return { ...one, to: { ...one.to, machine: other.org.id } }
  }
})

test('a channel’s history ends at its size and after a year; what a person has not read stays', async () => {
  const client = await connect()
  const { agent, to } = await writer(client)
  const channel = `Old${count}`
  await client.ask('channels.join', { agent, channel })
  await relay(client, [to({ channel }, 0), to(olga, 0)])
  await client.until(() => client.said.acks.filter(({ upTo }) => upTo === 0).length === 2)
  await database.db.dashboardMessage.updateMany({
    where: { fromMachineId: client.machine.id },
    data: { storedAt: new Date(Date.now() - 366 * 86_400_000) },
  })
  await forgetOld(database.db)
  const left = await database.db.dashboardMessage.findMany({ where: { fromMachineId: client.machine.id } })
  expect(left).toMatchObject([{ userId: owner.userId }])
  expect(await database.db.channel.findFirstOrThrow({ where: { name: channel } })).toMatchObject({ messageCount: 0 })
})
