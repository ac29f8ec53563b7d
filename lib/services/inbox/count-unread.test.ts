import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { requireMembership } from '#lib/access/authorize.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import { claimOf, linkMachine } from '#lib/testing/machines.ts'
import { contextOf, foundTeam, signUp } from '#lib/testing/people.ts'
import { claimName } from '../agents/claim-name.ts'
import { createChannel } from '../channels/create-channel.ts'
import { joinChannel } from '../channels/join-channel.ts'
import type { UserActor } from '../context.ts'
import { nextRowId } from '../messages/row-id.ts'
import { getOrg } from '../orgs/get-org.ts'
import { listConversations } from './list-conversations.ts'
import { markRead } from './mark-read.ts'
import { sendAsPerson } from './send-as-person.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

test("unread is what others wrote to this person and in this person's channels, until it is read", async () => {
  const { db } = database
  const { owner, org } = await foundTeam(db, 'olga', 'Acme')
  const bob = await signUp(db, 'bob')
  await db.membership.create({ data: { orgId: org.id, userId: bob.userId, role: 'member' } })
  const as = (actor: UserActor) => requireMembership(contextOf(db, actor), org.id)
  const unread = async (actor: UserActor) => {
    const ctx = await as(actor)
    const { counts } = await getOrg(ctx)
    const rows = await listConversations(ctx)
    expect(counts.unread).toBe(rows.reduce((sum, row) => sum + row.unread, 0))
    return counts.unread
  }

  await createChannel(await as(owner), { name: 'ops' })
  await createChannel(await as(bob), { name: 'his' })
  await joinChannel(await as(bob), { name: 'ops' })
  expect(await unread(owner)).toBe(0)
  await sendAsPerson(await as(bob), { to: '#ops', body: 'one' })
  await sendAsPerson(await as(bob), { to: '#ops', body: 'two' })
  await sendAsPerson(await as(bob), { to: '#his', body: 'not in her channels' })
  expect([await unread(owner), await unread(bob)]).toEqual([2, 0])

  const machine = await linkMachine(db, owner, org.id, 'left')
  const actor = { kind: 'machine' as const, machineId: machine.id, orgId: org.id, userId: owner.userId, label: 'left' }
  expect(await claimName(contextOf(db, actor), claimOf('Writer'))).toMatchObject({ ok: true })
  const agent = await db.agent.findFirstOrThrow({ where: { orgId: org.id, nameKey: 'writer' } })
  const now = new Date()
  await db.dashboardMessage.create({
    data: {
      id: nextRowId(),
      orgId: org.id,
      userId: owner.userId,
      agentId: agent.id,
      fromName: 'Writer',
      fromMachineId: machine.id,
      messageId: randomUUID(),
      body: 'to her',
      sizeBytes: 6,
      sentAt: now,
    },
  })
  expect([await unread(owner), await unread(bob)]).toEqual([3, 0])
  await markRead(await as(owner), { key: 'channel:ops' })
  expect(await unread(owner)).toBe(1)
  await markRead(await as(owner), { key: 'agent:writer' })
  expect(await unread(owner)).toBe(0)
})
