import { afterAll, beforeAll, expect, test } from 'vitest'
import { requireMembership } from '#lib/access/authorize.ts'
import type { UserActor } from '#lib/services/context.ts'
import { revokeMachine } from '#lib/services/machines/revoke-machine.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import { linkMachine } from '#lib/testing/machines.ts'
import { contextOf, foundTeam } from '#lib/testing/people.ts'
import { getActor, requestFacts } from './actor.ts'
import { openSession } from './session.ts'

let database: TestDatabase
let owner: UserActor
let orgId: string
beforeAll(async () => {
  database = await createTestDatabase()
  const team = await foundTeam(database.db, 'olga', 'Acme')
  owner = team.owner
  orgId = team.org.id
})
afterAll(() => database.drop())

const actorOf = (headers: Record<string, string>) => getActor(new Headers(headers), database.db)
const cookieOf = async (actor: UserActor) => (await openSession(database.db, actor.userId)).split(';')[0] as string

test('nobody, a person and a machine come through the same door', async () => {
  const { id, key } = await linkMachine(database.db, owner, orgId, 'door')
  const cookie = await cookieOf(owner)
  expect(await actorOf({})).toBeNull()
  expect(await actorOf({ cookie: 'next-auth.session-token=; a=b' })).toBeNull()
  expect(await actorOf({ cookie })).toEqual(owner)
  expect(await actorOf({ authorization: `Bearer ${key}` })).toMatchObject({ kind: 'machine', machineId: id, orgId })
  // The stored form of a session signs nobody in.
  const [row] = await database.db.session.findMany()
  expect(await actorOf({ cookie: `next-auth.session-token=${row?.sessionToken}` })).toBeNull()
})

test('a key that is shown must be good, also beside a good cookie', async () => {
  const cookie = await cookieOf(owner)
  const { id, key } = await linkMachine(database.db, owner, orgId, 'short-lived')
  await expect(actorOf({ cookie, authorization: 'Bearer ar_live_mistyped' })).rejects.toMatchObject({
    code: 'KEY_INVALID',
  })
  await revokeMachine(contextOf(database.db, owner), { org: orgId, machineId: id })
  await expect(actorOf({ cookie, authorization: `Bearer ${key}` })).rejects.toMatchObject({
    code: 'KEY_REVOKED',
    message: expect.not.stringContaining(key),
  })
})

test('a machine is in its own organization only, and only while its person is', async () => {
  const { key } = await linkMachine(database.db, owner, orgId, 'guest')
  const machine = await actorOf({ authorization: `Bearer ${key}` })
  if (machine?.kind !== 'machine') throw new Error('not a machine')
  const ctx = contextOf(database.db, machine)
  expect(await requireMembership(ctx, 'acme')).toMatchObject({ role: 'owner', org: { id: orgId } })
  await expect(requireMembership(ctx, 'olga')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await database.db.membership.delete({ where: { orgId_userId: { orgId, userId: owner.userId } } })
  await expect(requireMembership(ctx, 'acme')).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('the address and the id of a request are those that the door wrote', () => {
  const headers = new Headers({ 'x-forwarded-for': '192.0.2.7', 'x-request-id': 'request-1' })
  expect(requestFacts(headers)).toEqual({ address: '192.0.2.7', requestId: 'request-1' })
  expect(requestFacts(new Headers())).toEqual({ address: null, requestId: expect.stringMatching(/^[\w-]{36}$/) })
})
