import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type OrgCtx, requireMembership } from '#lib/access/authorize.ts'
import type { UserActor } from '#lib/services/context.ts'
import { revokeMachine } from '#lib/services/machines/revoke-machine.ts'
import { getOrg } from '#lib/services/orgs/get-org.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import {
  claimOf,
  connectMachine,
  type LinkedMachine,
  linkMachine,
  type MachineClient,
  startGateway,
  type TestGateway,
} from '#lib/testing/machines.ts'
import { contextOf, foundTeam, signUp } from '#lib/testing/people.ts'
import { reportTraces } from '#lib/testing/traces.ts'
import { getMessage } from './get-message.ts'
import { listAgents } from './list-agents.ts'
import { listMachines } from './list-machines.ts'
import { listMessages, type MessageFilter } from './list-messages.ts'

let database: TestDatabase
let gateway: TestGateway
let owner: UserActor
let ctx: OrgCtx<UserActor>
let laptop: LinkedMachine
let desktop: LinkedMachine
const open: MachineClient[] = []
beforeAll(async () => {
  database = await createTestDatabase()
  gateway = await startGateway(database.db)
  const team = await foundTeam(database.db, 'olga', 'Acme')
  owner = team.owner
  ctx = await requireMembership(contextOf(database.db, owner), team.org.id)
  laptop = await linkMachine(database.db, owner, team.org.id, 'laptop')
  desktop = await linkMachine(database.db, owner, team.org.id, 'desktop')
})
afterAll(async () => {
  for (const client of open) await client.close()
  await gateway.close()
  await database.drop()
})

async function pages(filter: MessageFilter, between?: () => Promise<unknown>): Promise<string[]> {
  const ids: string[] = []
  let cursor: string | null = null
  do {
    const page: Awaited<ReturnType<typeof listMessages>> = await listMessages(ctx, { ...filter, cursor })
    ids.push(...page.rows.map(({ id }) => id))
    cursor = page.nextCursor
    await between?.()
  } while (cursor)
  return ids
}

test('pages hold every message once, newest first, also among equal times and while new ones arrive', async () => {
  const now = Date.now()
  const reports = Array.from({ length: 130 }, (_, n) => ({ ts: now - Math.floor(n / 40) * 1000, from: 'Pager' }))
  const ids = await reportTraces(database.db, laptop, desktop, reports)
  const got = await pages({ q: 'pager', limit: 20 }, () =>
    reportTraces(database.db, laptop, desktop, [{ ts: now + 1000, from: 'Pager' }]),
  )
  expect(got).toHaveLength(130)
  expect(new Set(got)).toEqual(new Set(ids))
  const all = await listMessages(ctx, { q: 'pager', limit: 200 })
  const times = all.rows.map(({ sentAt }) => sentAt)
  expect(times).toEqual([...times].sort((a, b) => b - a))
  await expect(listMessages(ctx, { cursor: 'made-up' })).rejects.toMatchObject({ code: 'BAD_REQUEST' })
})

test('filters find by state, by name, machine and thread, by id and by time, and take wildcards literally', async () => {
  const ago = Date.now() - 3 * 86_400_000
  const [failed, queued, stored] = await reportTraces(database.db, desktop, laptop, [
    { from: 'Zed', to: 'Yan', state: 'failed', reason: 'EXPIRED', thread: '100%', ts: ago, path: null, tookMs: null },
    { from: 'Zed', to: 'Xin', state: 'queued', ts: ago - 1, path: null, tookMs: null },
    { from: 'Zed', to: 'Xin', state: 'stored', via: '*:*', ts: ago - 2, path: 'mailbox', tookMs: null },
  ])
  expect(await pages({ q: 'zed' })).toEqual([failed, queued, stored])
  expect(await pages({ q: 'zed', state: 'failed' })).toEqual([failed])
  expect(await pages({ q: 'xin', state: 'waiting' })).toEqual([queued, stored])
  expect(await pages({ q: '100%' })).toEqual([failed])
  expect(await pages({ q: '%_%' })).toEqual([])
  expect(await pages({ q: '*:*' })).toEqual([stored])
  expect(await pages({ q: stored?.toUpperCase() })).toEqual([stored])
  expect(await pages({ q: 'zed', since: ago - 1 })).toEqual([failed, queued])
  expect(await listMessages(ctx, {})).toMatchObject({ waiting: 2, failed24h: 0 })
})

test('a search that finds nothing among many newer messages goes on where it stopped', async () => {
  const [id] = await reportTraces(database.db, laptop, desktop, [{ from: 'Needle', agoMs: 20 * 86_400_000 }])
  await database.db.$executeRaw`
    INSERT INTO "MessageTrace" ("orgId", "messageId", "fromMachineId", "fromAgent", "toMachineId", "toAgent", "sizeBytes",
      state, "sentAt")
    SELECT ${ctx.org.id}::uuid, gen_random_uuid(), ${laptop.id}::uuid, 'Hay', ${desktop.id}::uuid, 'Stack', 1, 'seen',
      now() - interval '10 days' - n * interval '1 second' FROM generate_series(1, 50000) n`
  const first = await listMessages(ctx, { q: 'needle' })
  expect(first).toMatchObject({ rows: [], nextCursor: expect.any(String) })
  expect(await pages({ q: 'needle' })).toEqual([id])
  await database.db.messageTrace.deleteMany({ where: { fromAgent: 'Hay' } })
})

test('a message has its hops, and is found in its own organization only', async () => {
  const hops = [
    { kind: 'queued', where: 'laptop', atMs: 0 },
    { kind: 'accepted', where: 'desktop', atMs: 3.5, path: 'relay' as const },
  ]
  const [id] = (await reportTraces(database.db, laptop, desktop, [
    { hops, path: 'relay', tookMs: 3.5, sizeBytes: 99 },
  ])) as [string]
  expect(await getMessage(ctx, { id })).toMatchObject({
    id,
    from: 'Alice',
    fromMachine: 'laptop',
    toMachine: 'desktop',
    path: 'relay',
    tookMs: 3.5,
    sizeBytes: 99,
    hops,
  })
  const other = await foundTeam(database.db, 'eve', 'Else')
  const foreign = await requireMembership(contextOf(database.db, other.owner), other.org.id)
  for (const wanted of [id, randomUUID(), 'nonsense'])
    await expect(getMessage(foreign, { id: wanted })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  expect((await listMessages(foreign, {})).rows).toEqual([])
})

test('agents show who holds them, what they sent and got today, and whether their machine is there', async () => {
  const client = await connectMachine(gateway.url, laptop)
  open.push(client)
  await client.claim('Sol')
  await client.claim('Luna')
  await reportTraces(database.db, laptop, laptop, [
    { from: 'Sol', to: 'Luna' },
    { from: 'Sol', to: 'luna', agoMs: 3_600_000 },
    { from: 'Sol', to: 'Luna', agoMs: 25 * 3_600_000 },
    { from: 'Luna', to: 'Sol', state: 'queued', agoMs: 30 * 3_600_000 },
  ])
  const machine = { id: laptop.id, name: 'laptop', isOnline: true }
  const [luna, sol] = await listAgents(ctx, {})
  expect(luna).toMatchObject({
    name: 'Luna',
    machine,
    person: 'olga',
    isHeld: true,
    epoch: 1,
    sent24h: 0,
    received24h: 2,
    waiting: 0,
  })
  expect(sol).toMatchObject({ name: 'Sol', sent24h: 2, received24h: 0, waiting: 1 })
  expect(await listAgents(ctx, { q: 'sOl' })).toHaveLength(1)
  expect(await listAgents(ctx, { q: 'laptop' })).toHaveLength(2)
  expect(await listAgents(ctx, { q: '_' })).toHaveLength(0)
  expect(await listAgents(ctx, { status: 'offline' })).toHaveLength(0)
  await client.ask('agents.release', { name: 'Luna' })
  expect((await listAgents(ctx, {})).map(({ name, isHeld }) => [name, isHeld])).toEqual([
    ['Sol', true],
    ['Luna', false],
  ])
  expect((await listAgents(ctx, { status: 'offline' })).map(({ name }) => name)).toEqual(['Luna'])
})

test("a person's own name shows as a person's, and counts as no agent", async () => {
  const client = await connectMachine(gateway.url, laptop)
  open.push(client)
  const before = (await getOrg(ctx)).counts
  await client.ask('agents.claim', { agent: { ...claimOf('olga'), client: 'person' } })
  const rows = await listAgents(ctx, {})
  expect(rows.map(({ name, isPerson }) => [name, isPerson])).toContainEqual(['olga', true])
  expect(rows.filter(({ isPerson }) => isPerson)).toHaveLength(1)
  expect((await getOrg(ctx)).counts).toEqual(before)
  expect((await listMachines(ctx)).flatMap(({ agents }) => agents.map(({ name }) => name))).not.toContain('olga')
})

test('machines show their state, and only those who may revoke one are offered to', async () => {
  const old = await linkMachine(database.db, owner, ctx.org.id, 'old')
  await revokeMachine(ctx, { org: ctx.org.id, machineId: old.id })
  const machines = await listMachines(ctx)
  expect(machines.map(({ name, state, canRevoke }) => [name, state, canRevoke])).toEqual([
    ['laptop', 'online', true],
    ['desktop', 'keyOnly', true],
    ['old', 'revoked', false],
  ])
  expect(machines[0]).toMatchObject({ agents: [{ name: 'Sol' }, { name: 'Luna' }], keyPrefix: laptop.key.slice(0, 16) })
  const member = await signUp(database.db, 'mia')
  await database.db.membership.create({ data: { orgId: ctx.org.id, userId: member.userId, role: 'member' } })
  const theirs = await listMachines(await requireMembership(contextOf(database.db, member), 'acme'))
  expect(theirs.map(({ canRevoke }) => canRevoke)).toEqual([false, false, false])
})
