import { afterAll, beforeAll, expect, test } from 'vitest'
import { requireMembership } from '#lib/access/authorize.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import { claimOf, type LinkedMachine, linkMachine } from '#lib/testing/machines.ts'
import { contextOf, foundTeam, signUp } from '#lib/testing/people.ts'
import { claimName } from '../agents/claim-name.ts'
import { createChannel } from '../channels/create-channel.ts'
import { joinChannel, leaveChannel } from '../channels/join-channel.ts'
import { listChannels } from '../channels/list-channels.ts'
import { removeChannel } from '../channels/remove-channel.ts'
import { updateChannel } from '../channels/update-channel.ts'
import type { UserActor } from '../context.ts'
import { revokeMachine } from '../machines/revoke-machine.ts'
import { readMail } from '../messages/read-mail.ts'
import { getConversation } from './get-conversation.ts'
import { listConversations } from './list-conversations.ts'
import { sendAsPerson } from './send-as-person.ts'

let database: TestDatabase
let team: Awaited<ReturnType<typeof foundTeam>>
let machine: LinkedMachine
beforeAll(async () => {
  database = await createTestDatabase()
  team = await foundTeam(database.db, 'olga', 'Acme')
  machine = await linkMachine(database.db, team.owner, team.org.id, 'left')
})
afterAll(() => database.drop())

const as = (actor: UserActor) => requireMembership(contextOf(database.db, actor), team.org.id)

async function member(handle: string): Promise<UserActor> {
  const user = await signUp(database.db, handle)
  await database.db.membership.create({ data: { orgId: team.org.id, userId: user.userId, role: 'member' } })
  return user
}

async function agent(name: string, on = machine): Promise<void> {
  const { owner, org } = team
  const actor = { kind: 'machine' as const, machineId: on.id, orgId: org.id, userId: owner.userId, label: on.name }
  expect(await claimName(contextOf(database.db, actor), claimOf(name))).toMatchObject({ ok: true })
}

const mail = async (on = machine) =>
  (await readMail(database.db, on.id, {})).flatMap((item) => (item.kind === 'envelope' ? [item.envelope] : []))

test('a person writes to an agent: the message stands in their conversation, and its envelope in the mailbox', async () => {
  await agent('Writer')
  const ctx = await as(team.owner)
  const bodies = ['first', 'a\0b\ud800', 'third']
  const sent = []
  for (const body of bodies) sent.push(await sendAsPerson(ctx, { to: 'writer', body, thread: 't1' }))
  expect(sent.map(({ key }) => key)).toEqual(Array(3).fill('agent:writer'))
  const envelopes = await mail()
  expect(envelopes.map(({ id, seq }) => [id, seq])).toEqual(sent.map(({ id }, n) => [id, n]))
  expect(envelopes[0]).toMatchObject({
    from: { machine: team.org.id, agent: 'dashboard', epoch: 1, user: 'olga' },
    to: { machine: machine.id, agent: 'Writer' },
    thread: 't1',
    body: 'first',
  })
  const page = await getConversation(ctx, { key: 'agent:writer' })
  expect(page.conversation).toMatchObject({ name: 'Writer', machine: 'left', lastFrom: '@olga', unread: 0 })
  expect(page.rows.map(({ id, body }) => [id, body])).toEqual([
    [sent[0]?.id, 'first'],
    [sent[1]?.id, 'a\ufffdb\ufffd'],
    [sent[2]?.id, 'third'],
  ])
  expect(page.rows[0]).toMatchObject({
    from: 'olga',
    isPerson: true,
    isMine: true,
    receipts: [{ to: 'Writer', state: 'stored', reason: null }],
  })
  const trace = await database.db.messageTrace.findFirstOrThrow({ where: { messageId: sent[0]?.id as string } })
  expect(trace).toMatchObject({ fromAgent: '@olga', toAgent: 'Writer', state: 'stored', fromMachineId: team.org.id })
})

test('many messages at once to one agent have places without a hole, and of one that fails nothing is left', async () => {
  await agent('Busy')
  const ctx = await as(team.owner)
  await Promise.all(Array.from({ length: 20 }, (_, n) => sendAsPerson(ctx, { to: 'Busy', body: `${n}` })))
  await expect(sendAsPerson(ctx, { to: 'Busy', body: ' ' })).rejects.toMatchObject({ code: 'BAD_REQUEST' })
  await expect(sendAsPerson(ctx, { to: 'Busy', body: 'ü'.repeat(140_000) })).rejects.toMatchObject({
    code: 'TOO_LARGE',
  })
  const seqs = (await mail()).filter(({ to }) => to.agent === 'Busy').map(({ seq }) => seq)
  expect(seqs.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n))
})

test('an unknown agent or channel is an error with the nearest names, and other addresses say what is possible', async () => {
  await agent('Reviewer')
  const ctx = await as(team.owner)
  await createChannel(ctx, { name: 'deploys' })
  await expect(sendAsPerson(ctx, { to: 'Reviwer', body: 'x' })).rejects.toMatchObject({
    code: 'NOT_FOUND',
    details: { nearest: ['Reviewer'] },
  })
  await expect(sendAsPerson(ctx, { to: '#deplyos', body: 'x' })).rejects.toMatchObject({
    code: 'NOT_FOUND',
    message: expect.stringMatching(/#deploys.*agent-relay join "#deplyos"/),
  })
  for (const to of ['*:*', '@olga', 'api:Reviewer'])
    await expect(sendAsPerson(ctx, { to, body: 'x' })).rejects.toMatchObject({ code: 'UNSUPPORTED_ADDRESS' })
})

test('who writes to a channel is in it, its agents get a copy each, and the history is everybody’s', async () => {
  const other = await linkMachine(database.db, team.owner, team.org.id, 'right')
  await agent('Near')
  await agent('Far', other)
  const [owner, carol] = [await as(team.owner), await as(await member('carol'))]
  expect(await createChannel(owner, { name: 'Ops', topic: 'what runs' })).toMatchObject({
    name: 'Ops',
    topic: 'what runs',
    isMember: true,
    createdBy: '@olga',
  })
  for (const name of ['Near', 'Far']) await joinChannel(owner, { name: '#ops', agent: name })
  expect(await listConversations(carol)).toEqual([])
  const { id, key } = await sendAsPerson(carol, { to: '#OPS', body: 'who is\non call?' })
  expect(key).toBe('channel:ops')
  const copies = [...(await mail()), ...(await mail(other))].filter(({ to }) => to.channel === 'Ops')
  expect(copies.map(({ to, from }) => [to.agent, to.via, from.user])).toEqual([
    ['Near', '#Ops', 'carol'],
    ['Far', '#Ops', 'carol'],
  ])
  expect(await listConversations(carol)).toMatchObject([
    { key: 'channel:ops', lastFrom: '@carol', preview: 'who is on call?', unread: 0 },
  ])
  expect((await listConversations(owner)).find((row) => row.key === key)).toMatchObject({ unread: 1 })
  const page = await getConversation(owner, { key })
  expect(page.rows).toMatchObject([{ id, isMine: false, receipts: [{ to: 'Far' }, { to: 'Near' }] }])
  expect((await listChannels(carol)).find(({ name }) => name === 'Ops')?.members).toEqual([
    { kind: 'person', name: 'olga', machine: null, status: null },
    { kind: 'agent', name: 'Near', machine: 'left', status: 'online' },
    { kind: 'agent', name: 'Far', machine: 'right', status: 'online' },
    { kind: 'person', name: 'carol', machine: null, status: null },
  ])
  await revokeMachine(contextOf(database.db, team.owner), { org: team.org.id, machineId: other.id })
  expect((await getConversation(owner, { key })).rows[0]?.receipts).toContainEqual({
    to: 'Far',
    state: 'failed',
    reason: 'KEY_REVOKED',
  })
  expect((await listChannels(carol)).find(({ name }) => name === 'Ops')?.members.map(({ name }) => name)).toEqual([
    'olga',
    'Near',
    'carol',
  ])
})

test('a channel ends by its maker or an admin, and every change of channels is in the audit log', async () => {
  const [owner, dan] = [await as(team.owner), await as(await member('dan'))]
  await createChannel(dan, { name: 'dans' })
  await createChannel(owner, { name: 'olgas' })
  await expect(createChannel(dan, { name: 'Olgas' })).rejects.toMatchObject({ code: 'CONFLICT' })
  await expect(createChannel(dan, { name: 'no spaces' })).rejects.toMatchObject({ code: 'NAME_INVALID' })
  expect(await updateChannel(dan, { name: 'olgas', topic: ' flowers ' })).toMatchObject({ topic: 'flowers' })
  await joinChannel(dan, { name: 'olgas' })
  await joinChannel(dan, { name: 'olgas' })
  await leaveChannel(dan, { name: 'olgas' })
  await expect(removeChannel(dan, { name: 'olgas' })).rejects.toMatchObject({ code: 'FORBIDDEN' })
  await removeChannel(owner, { name: 'dans' })
  await removeChannel(owner, { name: 'olgas' })
  const audit = await database.db.auditEntry.findMany({
    where: { orgId: team.org.id, targetLabel: '#olgas' },
    orderBy: { id: 'asc' },
  })
  expect(audit.map(({ action, actorLabel }) => `${actorLabel} ${action}`)).toEqual([
    'olga channel.create',
    'olga channel.join',
    'dan channel.update',
    'dan channel.join',
    'dan channel.leave',
    'olga channel.remove',
  ])
})

test('of two people with one handle the later is numbered, and whoever leaves the organization leaves its channels', async () => {
  const twin = await member('twin')
  await member('twin')
  const owner = await as(team.owner)
  await createChannel(owner, { name: 'pairs' })
  await joinChannel(await as(twin), { name: 'pairs' })
  await database.db.membership.delete({ where: { orgId_userId: { orgId: team.org.id, userId: twin.userId } } })
  const members = (await listChannels(owner)).find(({ name }) => name === 'pairs')?.members
  expect(members?.map(({ name }) => name)).toEqual(['olga'])
})
