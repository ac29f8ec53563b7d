import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type OrgCtx, requireMembership } from '#lib/access/authorize.ts'
import type { UserActor } from '#lib/services/context.ts'
import { revokeMachine } from '#lib/services/machines/revoke-machine.ts'
import { getOrg } from '#lib/services/orgs/get-org.ts'
import { listMessages } from '#lib/services/reads/list-messages.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import {
  claimOf,
  connectMachine,
  linkMachine,
  type MachineClient,
  startGateway,
  type TestGateway,
} from '#lib/testing/machines.ts'
import { contextOf, foundTeam } from '#lib/testing/people.ts'
import { reportTraces } from '#lib/testing/traces.ts'
import { getOverview } from './get-overview.ts'

const minute = 60_000
const hour = 60 * minute

let database: TestDatabase
let gateway: TestGateway
let owner: UserActor
let ctx: OrgCtx<UserActor>
let count = 0
const open: MachineClient[] = []
beforeAll(async () => {
  database = await createTestDatabase()
  gateway = await startGateway(database.db)
})
afterAll(async () => {
  await gateway.close()
  await database.drop()
})
beforeEach(async () => {
  const team = await foundTeam(database.db, `olga${++count}`, `Acme ${count}`)
  owner = team.owner
  ctx = await requireMembership(contextOf(database.db, owner), team.org.id)
})
afterEach(async () => {
  for (const client of open.splice(0)) await client.close()
})

const link = (name: string) => linkMachine(database.db, owner, ctx.org.id, name)
const done = async () => (await getOverview(ctx)).checklist.filter(({ isDone }) => isDone).map(({ key }) => key)

test('each step of the checklist ticks when it has happened, and only then', async () => {
  const empty = await getOverview(ctx)
  expect(empty).toMatchObject({
    isSetUp: false,
    figures: {
      delivered24h: 0,
      p50Ms: null,
      p95Ms: null,
      p99Ms: null,
      localShare: null,
      relayShare: null,
      waiting: 0,
      oldestWaitingAt: null,
      failed24h: 0,
      deliveredByHour: Array(24).fill(0),
    },
    machines: [],
    latest: [],
    failures: [],
    waitingByAgent: [],
  })
  expect(await done()).toEqual(['organization'])
  const laptop = await link('alice-mbp')
  expect(await done()).toEqual(['organization'])
  const alice = await connectMachine(gateway.url, laptop)
  open.push(alice)
  expect(await done()).toEqual(['organization', 'machine'])
  await alice.ask('agents.claim', { agent: { ...claimOf('alice-person'), client: 'person' } })
  expect(await done()).toEqual(['organization', 'machine'])
  await alice.claim('Alice')
  expect(await done()).toEqual(['organization', 'machine', 'agent'])
  await alice.claim('Bob')
  expect(await done()).toEqual(['organization', 'machine', 'agent', 'secondAgent'])
  const [id] = await reportTraces(database.db, laptop, laptop, [{ state: 'queued' }])
  expect(await done()).not.toContain('message')
  await reportTraces(database.db, laptop, laptop, [{ id: id as string, state: 'injected' }])
  const overview = await getOverview(ctx)
  expect(overview.isSetUp).toBe(true)
  expect(overview.checklist.map(({ label }) => label)).toEqual([
    ctx.org.name,
    'alice-mbp',
    'Alice',
    'Bob',
    'Alice → Bob',
  ])
  expect(overview.machines).toMatchObject([
    {
      name: 'alice-mbp',
      state: 'online',
      person: owner.label,
      agents: [{ name: 'Alice' }, { name: 'Bob' }],
      waiting: 0,
      canRevoke: true,
    },
  ])
})

test('figures are of the last 24 hours, and what waits is of all time', async () => {
  const [a, b] = [await link('a'), await link('b')]
  const other = await foundTeam(database.db, `eve${count}`, 'Else')
  const foreign = await linkMachine(database.db, other.owner, other.org.id, 'x')
  const delivered = Array.from({ length: 100 }, (_, n) => ({
    tookMs: n + 1,
    agoMs: minute + (n % 4) * hour,
    path: n < 75 ? ('local' as const) : ('relay' as const),
  }))
  await reportTraces(database.db, a, b, [
    ...delivered,
    { path: 'mailbox', tookMs: 8 * hour, agoMs: 9.5 * hour, state: 'seen' },
    { agoMs: 25 * hour, tookMs: 9_999 },
    { state: 'failed', reason: 'EXPIRED', agoMs: 2 * hour, path: null, tookMs: null },
    { state: 'failed', reason: 'EXPIRED', agoMs: 26 * hour, path: null, tookMs: null },
    { state: 'queued', to: 'Carol', agoMs: 40 * hour, path: null, tookMs: null },
    { state: 'stored', to: 'Carol', agoMs: 3 * hour, path: 'mailbox', tookMs: null },
    { state: 'queued', to: 'Dave', agoMs: hour, path: null, tookMs: null },
  ])
  await reportTraces(database.db, foreign, foreign, [{ tookMs: 5_000 }, { state: 'failed' }, { state: 'queued' }])
  const { figures, failures, latest, waitingByAgent, machines } = await getOverview(ctx)
  expect(figures).toMatchObject({ delivered24h: 101, p50Ms: 50.5, failed24h: 1, waiting: 3 })
  expect(figures.p95Ms).toBeCloseTo(95.05)
  expect(figures.p99Ms).toBeCloseTo(99.01)
  expect(figures.localShare).toBeCloseTo(75 / 101)
  expect(figures.relayShare).toBeCloseTo(26 / 101)
  expect(Math.abs(Date.now() - 40 * hour - (figures.oldestWaitingAt ?? 0))).toBeLessThan(minute)
  expect(figures.deliveredByHour.slice(20)).toEqual([25, 25, 25, 25])
  expect(figures.deliveredByHour[14]).toBe(1)
  expect(figures.deliveredByHour.reduce((sum, n) => sum + n)).toBe(101)
  expect(failures).toMatchObject([
    { state: 'failed', reason: 'EXPIRED', from: 'Alice', fromMachine: 'a', toMachine: 'b' },
  ])
  expect(latest).toHaveLength(5)
  expect(waitingByAgent).toMatchObject([
    { agent: 'Carol', machine: 'b', count: 2 },
    { agent: 'Dave', machine: 'b', count: 1 },
  ])
  expect(machines.map(({ name, state, waiting }) => [name, state, waiting])).toEqual([
    ['a', 'keyOnly', 0],
    ['b', 'keyOnly', 3],
  ])
})

test('nothing waits for a revoked machine or from one: it is told as failed, and reports of others still count', async () => {
  const [a, b, c] = [await link('a'), await link('b'), await link('c')]
  const waits = { path: null, tookMs: null } as const
  const [toGone, alsoToGone, arrived] = await reportTraces(database.db, a, b, [
    { ...waits, state: 'queued' },
    { ...waits, state: 'stored', path: 'mailbox' },
    { ...waits, state: 'stored', path: 'mailbox' },
  ])
  const [neverSent] = await reportTraces(database.db, b, c, [
    { ...waits, state: 'queued' },
    { ...waits, state: 'stored', path: 'mailbox' },
  ])
  const [waiting] = await reportTraces(database.db, a, c, [{ ...waits, state: 'queued', to: 'Carol' }])
  expect((await getOverview(ctx)).figures).toMatchObject({ waiting: 6, failed24h: 0 })

  await revokeMachine({ ...ctx, actor: owner }, { org: ctx.org.id, machineId: b.id })
  // The sender learns later that it did arrive just before.
  await reportTraces(database.db, a, b, [{ id: arrived as string, state: 'accepted', path: 'mailbox' }])

  const { figures, failures, waitingByAgent, machines } = await getOverview(ctx)
  expect(figures).toMatchObject({ waiting: 1, failed24h: 3, delivered24h: 1 })
  expect(new Set(failures.map(({ id }) => id))).toEqual(new Set([toGone, alsoToGone, neverSent]))
  for (const failure of failures) expect(failure).toMatchObject({ state: 'failed', reason: 'KEY_REVOKED' })
  expect(waitingByAgent).toMatchObject([{ agent: 'Carol', machine: 'c', count: 1 }])
  expect(machines.map(({ name, waiting }) => [name, waiting])).toEqual([
    ['a', 0],
    ['c', 1],
  ])
  expect((await listMessages(ctx, { state: 'waiting' })).rows.map(({ id }) => id)).toEqual([waiting])
  expect(await listMessages(ctx, { state: 'failed' })).toMatchObject({ waiting: 1, failed24h: 3 })
  expect((await getOrg(ctx)).counts).toMatchObject({ waiting: 1, failed24h: 3 })
})
