import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type OrgCtx, requireMembership } from '#lib/access/authorize.ts'
import type { UserActor } from '#lib/services/context.ts'
import { openSession } from '#lib/services/machines/sessions.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import { type LinkedMachine, linkMachine } from '#lib/testing/machines.ts'
import { contextOf, foundTeam } from '#lib/testing/people.ts'
import { listLinks } from './list-links.ts'

let database: TestDatabase
let ctx: OrgCtx<UserActor>
let foreign: OrgCtx<UserActor>
let laptop: LinkedMachine
let desktop: LinkedMachine
beforeAll(async () => {
  database = await createTestDatabase()
  const team = await foundTeam(database.db, 'olga', 'Acme')
  ctx = await requireMembership(contextOf(database.db, team.owner), team.org.id)
  laptop = await linkMachine(database.db, team.owner, team.org.id, 'laptop')
  desktop = await linkMachine(database.db, team.owner, team.org.id, 'desktop')
  const other = await foundTeam(database.db, 'eve', 'Else')
  foreign = await requireMembership(contextOf(database.db, other.owner), other.org.id)
})
afterAll(() => database.drop())

async function comes({ id, orgId }: LinkedMachine, latencyMs: number): Promise<void> {
  const facts = { orgId, machineId: id, latencyMs, bootId: randomUUID(), node: 'test', address: null, version: '0.1.0' }
  await database.db.machine.update({ where: { id }, data: { publicKey: `key of ${id}` } })
  await openSession(database.db, facts)
}
const says = (from: LinkedMachine, to: LinkedMachine, state: string, more: { orgId?: string; kind?: string } = {}) => {
  const facts = { state, kind: 'lan', latencyMs: 2.5, why: 'it answered first', since: new Date(), orgId: ctx.org.id }
  const key = { machineId: from.id, peerId: to.id }
  return database.db.machineLink.upsert({
    where: { machineId_peerId: key },
    create: { ...key, ...facts, ...more },
    update: { ...facts, ...more },
  })
}

test('machines with how they are linked, for the members of their organization alone', async () => {
  await comes(laptop, 12)
  await comes(desktop, 18)
  await says(laptop, desktop, 'direct')
  await says(desktop, laptop, 'direct')
  const { machines, links } = await listLinks(ctx)
  expect(machines.map(({ name, state }) => [name, state])).toEqual([
    ['desktop', 'online'],
    ['laptop', 'online'],
  ])
  expect(links).toMatchObject([
    { a: { name: 'desktop' }, b: { name: 'laptop' }, state: 'direct', kind: 'lan', latencyMs: 2.5, isOneSided: false },
  ])
  expect(await listLinks(foreign)).toEqual({ machines: [], links: [] })
  await expect(requireMembership({ ...foreign }, 'acme')).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('a row that names machines of another organization shows neither here nor there', async () => {
  const stranger = await linkMachine(database.db, foreign.actor, foreign.org.id, 'stranger')
  await says(stranger, laptop, 'direct', { orgId: foreign.org.id })
  await says(laptop, stranger, 'direct')
  expect((await listLinks(foreign)).links).toEqual([])
  expect((await listLinks(ctx)).links).toHaveLength(1)
})

test('words of a later version are passed over, and a revoked machine is in no pair', async () => {
  await says(laptop, desktop, 'quantum')
  await says(desktop, laptop, 'direct', { kind: 'carrier-pigeon' })
  expect((await listLinks(ctx)).links).toMatchObject([{ state: 'direct', kind: null, isOneSided: true }])
  await database.db.machine.update({ where: { id: desktop.id }, data: { revokedAt: new Date() } })
  const { machines, links } = await listLinks(ctx)
  expect(machines.map(({ name }) => name)).toEqual(['laptop'])
  expect(links).toEqual([])
})
