import type { ClaimResult } from '@agent-relay/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { requireMembership } from '#lib/access/authorize.ts'
import { lockOrg, withTransaction } from '#lib/db/transaction.ts'
import type { Ctx, MachineActor } from '#lib/services/context.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import { claimOf, envelopeOf, linkMachine, makeIdentity } from '#lib/testing/machines.ts'
import { contextOf, foundTeam } from '#lib/testing/people.ts'
import { revokeMachine } from '../machines/revoke-machine.ts'
import { endSessions, openSession } from '../machines/sessions.ts'
import { storeMail } from '../messages/store-mail.ts'
import { getOrg } from '../orgs/get-org.ts'
import { buildRoster } from '../roster/build-roster.ts'
import { claimName } from './claim-name.ts'
import { releaseName } from './release-name.ts'
import { syncNames } from './sync-names.ts'

let database: TestDatabase
let team: Awaited<ReturnType<typeof foundTeam>>
beforeAll(async () => {
  database = await createTestDatabase()
  team = await foundTeam(database.db, 'olga', 'Acme')
})
afterAll(() => database.drop())

type Connected = { ctx: Ctx<MachineActor>; session: string }

async function connectedMachine(name: string, { owner, org } = team): Promise<Connected> {
  const { db } = database
  const { id } = await linkMachine(db, owner, org.id, name)
  const actor: MachineActor = { kind: 'machine', machineId: id, orgId: org.id, userId: owner.userId, label: name }
  const facts = { orgId: org.id, machineId: id, bootId: crypto.randomUUID(), node: 'test', address: null }
  return { ctx: contextOf(db, actor), session: await openSession(db, { ...facts, version: '1', latencyMs: null }) }
}

const outcome = (result: ClaimResult) => (result.ok ? result.epoch : result.error.code)

test('of twenty machines that claim one name at once, exactly one wins', async () => {
  const machines: Connected[] = []
  for (let i = 0; i < 20; i++) machines.push(await connectedMachine(`race-${i}`))
  const results = await Promise.all(machines.map(({ ctx }, i) => claimName(ctx, claimOf(i % 2 ? 'Winner' : 'winner'))))
  expect(results.filter(({ ok }) => ok)).toHaveLength(1)
  expect(results.filter((result) => !result.ok && result.error.code === 'NAME_TAKEN')).toHaveLength(19)
  expect(await database.db.agent.count({ where: { nameKey: 'winner' } })).toBe(1)
})

/** As if nothing was heard of the machine for the time of a lease. */
const runOut = ({ ctx }: Connected) =>
  database.db.machineSession.updateMany({
    where: { machineId: ctx.actor.machineId },
    data: { leaseExpiresAt: new Date() },
  })

test('a name changes hands when it is released or the lease has run out, and its epoch only grows', async () => {
  const [one, two] = [await connectedMachine('one'), await connectedMachine('two')]
  expect(outcome(await claimName(one.ctx, claimOf('Hand')))).toBe(1)
  expect(outcome(await claimName(one.ctx, claimOf('Hand', 1)))).toBe(1)
  expect(outcome(await claimName(one.ctx, claimOf('Hand')))).toBe(2)
  expect(outcome(await claimName(two.ctx, claimOf('Hand')))).toBe('NAME_TAKEN')
  await releaseName(one.ctx, { name: 'hand' })
  expect(outcome(await claimName(two.ctx, claimOf('Hand')))).toBe(3)
  expect(outcome(await claimName(one.ctx, claimOf('Hand', 2)))).toBe('NAME_TAKEN')
  await runOut(two)
  expect(outcome(await claimName(one.ctx, claimOf('Hand', 2)))).toBe(4)
})

test('a lost connection and a restart of the control plane leave every name with its holder, until the lease runs out', async () => {
  const [one, two] = [await connectedMachine('lost'), await connectedMachine('eager')]
  await claimName(one.ctx, claimOf('Kept'))
  await database.db.machineSession.update({
    where: { id: one.session },
    data: { leaseExpiresAt: new Date(Date.now() + 60_000) },
  })
  await endSessions(database.db, { notOfNode: 'after-the-restart' })
  const refused = await claimName(two.ctx, claimOf('Kept'))
  expect(refused).toMatchObject({ ok: false, error: { code: 'NAME_TAKEN' } })
  const freeInSeconds = refused.ok ? 0 : Number(refused.error.details?.freeInSeconds)
  expect(freeInSeconds).toBeGreaterThan(55)
  expect(freeInSeconds).toBeLessThanOrEqual(60)
  expect(outcome(await claimName(one.ctx, claimOf('Kept', 1)))).toBe(1)
  await runOut(one)
  expect(outcome(await claimName(two.ctx, claimOf('Kept')))).toBe(2)
})

test('a revoked machine lets go of its names at once', async () => {
  const [one, two] = [await connectedMachine('revoked'), await connectedMachine('heir')]
  await claimName(one.ctx, claimOf('Bequest'))
  await revokeMachine(contextOf(database.db, team.owner), { org: team.org.id, machineId: one.ctx.actor.machineId })
  expect(outcome(await claimName(two.ctx, claimOf('Bequest')))).toBe(2)
})

test('sync renews with the same epoch, claims what is new, and releases what is not listed', async () => {
  const { ctx } = await connectedMachine('syncer')
  await syncNames(ctx, { agents: [claimOf('Keep'), claimOf('Drop')] })
  // The first roster makes the organization's keys, which is a version of its own.
  await buildRoster(database.db, team.org.id)
  const before = await buildRoster(database.db, team.org.id)
  const { results } = await syncNames(ctx, { agents: [claimOf('Keep', 1), claimOf('Fresh')] })
  expect(results.map(outcome)).toEqual([1, 1])
  const after = await buildRoster(database.db, team.org.id)
  expect(after.version).toBe(before.version + 1)
  const status = (name: string) => after.agents.find((agent) => agent.name === name)?.status
  expect([status('Keep'), status('Drop'), status('Fresh')]).toEqual(['online', 'offline', 'online'])
  await syncNames(ctx, { agents: [claimOf('Keep', 1), claimOf('Fresh', 1)] })
  expect((await buildRoster(database.db, team.org.id)).version).toBe(after.version)
})

test('the plan limits how many names are held, under twenty claims at once', async () => {
  const small = await foundTeam(database.db, 'sam', 'Small')
  const { ctx } = await connectedMachine('only', small)
  await database.db.organization.update({ where: { id: small.org.id }, data: { plan: 'free' } })
  const results = await Promise.all(Array.from({ length: 20 }, (_, i) => claimName(ctx, claimOf(`N${i}`))))
  expect(results.filter(({ ok }) => ok)).toHaveLength(3)
  const refused = results.find(({ ok }) => !ok)
  expect(refused).toMatchObject({ error: { code: 'PLAN_LIMIT', details: { limit: 3, use: 3, plan: 'free' } } })
  const held = results.find(({ ok }) => ok)?.name ?? ''
  await releaseName(ctx, { name: held })
  expect((await claimName(ctx, claimOf('Next'))).ok).toBe(true)
})

test("a person's own name is beside the plan's agents, one on each machine", async () => {
  const small = await foundTeam(database.db, 'pia', 'Persons')
  const { ctx } = await connectedMachine('desk', small)
  await database.db.organization.update({ where: { id: small.org.id }, data: { plan: 'free' } })
  const person = (name: string) => ({ ...claimOf(name), client: 'person' })
  const claims = [person('pia'), claimOf('A'), claimOf('B'), claimOf('C'), claimOf('D'), person('pia-2')]
  const { results } = await syncNames(ctx, { agents: claims })
  expect(results.map(outcome)).toEqual([1, 1, 1, 1, 'PLAN_LIMIT', 'PLAN_LIMIT'])
  const seen = await getOrg(await requireMembership(contextOf(database.db, small.owner), small.org.id))
  expect(seen).toMatchObject({ agentsUsed: 3, counts: { agents: 3 } })
  expect(outcome(await claimName(ctx, { ...person('pia'), epoch: 1 }))).toBe(1)
  expect(outcome(await claimName(ctx, claimOf('D')))).toBe('PLAN_LIMIT')
})

test('text that Postgres refuses is kept out of the registry', async () => {
  const { ctx } = await connectedMachine('nul')
  const result = await claimName(ctx, { ...claimOf('Nul'), model: 'a\0b', capabilities: ['x\ud800'] })
  expect(result.ok).toBe(true)
  const agent = await database.db.agent.findFirstOrThrow({ where: { name: 'Nul' } })
  expect(agent).toMatchObject({ model: 'a\u{fffd}b', capabilities: ['x\u{fffd}'] })
})

test('names that wait for the lock of their organization keep nobody else from the database', async () => {
  const { db } = database
  const crowd: Connected[] = []
  for (let i = 0; i < 20; i++) crowd.push(await connectedMachine(`crowd-${i}`))
  const [sender, recipient] = crowd.map(({ ctx }) => ctx.actor.machineId)
  let release = () => undefined as unknown
  const held = new Promise((resolve) => {
    release = () => resolve(undefined)
  })
  const lock = withTransaction(db, async (tx) => {
    await lockOrg(tx, team.org.id)
    await held
  })
  // Twice as many as the test's pool has connections.
  const claims = crowd.map(({ ctx }, i) => claimName(ctx, claimOf(`Crowd${i}`)))
  const machine = { id: sender as string, orgId: team.org.id, name: '', key: '', identity: makeIdentity() }
  const mail = envelopeOf({ machine, agent: 'A', epoch: 1 }, { machine: recipient as string, agent: 'B' }, 0)
  const item = { orgId: team.org.id, machineId: recipient as string, envelope: mail }
  expect(await storeMail(db, [item])).toEqual([true])
  release()
  await lock
  expect((await Promise.all(claims)).every(({ ok }) => ok)).toBe(true)
})
