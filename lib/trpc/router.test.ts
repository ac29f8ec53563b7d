import type { inferRouterOutputs } from '@trpc/server'
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from 'vitest'
import type { UserActor } from '#lib/services/context.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import { contextOf, foundTeam, signUp } from '#lib/testing/people.ts'
import { createCallerFactory } from './init.ts'
import { type AppRouter, appRouter } from './router.ts'
import type * as views from './views.ts'

let database: TestDatabase
let owner: UserActor
let foreigner: UserActor
let orgId: string
beforeAll(async () => {
  database = await createTestDatabase()
  const team = await foundTeam(database.db, 'olga', 'Acme')
  owner = team.owner
  orgId = team.org.id
  foreigner = await signUp(database.db, 'fred')
})
afterAll(() => database.drop())

const caller = createCallerFactory(appRouter)
const as = (actor: UserActor | null) => caller({ ...contextOf(database.db, actor), isOwnPage: true })
type Api = ReturnType<typeof as>

let made = 0
const absent = '00000000-0000-7000-8000-000000000000'
/** Every procedure of the router: a new one that is missing here fails the test below. */
const ofOrg: Record<string, (api: Api, org: string) => Promise<unknown>> = {
  'orgs.get': (api, org) => api.orgs.get({ org }),
  'orgs.update': (api, org) => api.orgs.update({ org, name: 'Acme' }),
  'orgs.setArchive': (api, org) => api.orgs.setArchive({ org, isOn: false }),
  'overview.get': (api, org) => api.overview.get({ org }),
  'agents.list': (api, org) => api.agents.list({ org, q: 'a', status: 'idle' }),
  'machines.list': (api, org) => api.machines.list({ org }),
  'machines.createKey': (api, org) => api.machines.createKey({ org, name: 'ci' }),
  'machines.revoke': (api, org) => api.machines.revoke({ org, machineId: absent }),
  'network.get': (api, org) => api.network.get({ org }),
  'messages.list': (api, org) => api.messages.list({ org, q: 'a', since: 0 }),
  'messages.get': (api, org) => api.messages.get({ org, id: absent }),
  'inbox.list': (api, org) => api.inbox.list({ org }),
  'inbox.get': (api, org) => api.inbox.get({ org, key: 'agent:nobody' }),
  'inbox.send': (api, org) => api.inbox.send({ org, to: 'Nobody', body: 'hello' }),
  'inbox.markRead': (api, org) => api.inbox.markRead({ org, key: 'channel:nowhere' }),
  'channels.list': (api, org) => api.channels.list({ org }),
  'channels.create': (api, org) => api.channels.create({ org, name: `ops-${++made}` }),
  'channels.join': (api, org) => api.channels.join({ org, name: 'nowhere' }),
  'channels.leave': (api, org) => api.channels.leave({ org, name: 'nowhere', agent: 'Nobody' }),
  'channels.update': (api, org) => api.channels.update({ org, name: 'nowhere', topic: null }),
  'channels.remove': (api, org) => api.channels.remove({ org, name: 'nowhere' }),
}
/** Of things that are not there: whoever may ask is told so. */
const absentOnes = new Set([
  ...['machines.revoke', 'messages.get', 'inbox.get', 'inbox.send', 'inbox.markRead'],
  ...['channels.join', 'channels.leave', 'channels.update', 'channels.remove'],
])
const ofPerson: Record<string, (api: Api) => Promise<unknown>> = {
  'me.get': (api) => api.me.get(),
  'orgs.create': (api) => api.orgs.create({ name: 'Beta' }),
  'link.inspect': (api) => api.link.inspect({ userCode: 'BCDF-GHJK' }),
  'link.approve': (api) => api.link.approve({ userCode: 'BCDF-GHJK', org: orgId }),
  'link.deny': (api) => api.link.deny({ userCode: 'BCDF-GHJK' }),
}

test('every procedure is in these tables', () => {
  expect(Object.keys(appRouter._def.procedures).sort()).toEqual(
    [...Object.keys(ofOrg), ...Object.keys(ofPerson)].sort(),
  )
})

describe.each(Object.entries(ofOrg))('%s', (name, call) => {
  test('asks whoever is signed out to sign in', async () => {
    await expect(call(as(null), orgId)).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      cause: { code: 'UNAUTHENTICATED' },
    })
  })

  test.each(['id', 'slug', 'absent', '\0'])('tells a foreigner that there is nothing (%s)', async (by) => {
    const org = { id: orgId, slug: 'acme', absent, '\0': '\0' }[by] as string
    await expect(call(as(foreigner), org)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('that you belong to'),
    })
  })

  test('lets the owner in, by id and by slug', async () => {
    for (const org of [orgId, 'acme', 'ACME']) {
      const result = await call(as(owner), org).catch((error) => error)
      if (absentOnes.has(name))
        expect(result).toMatchObject({ code: 'NOT_FOUND', message: expect.not.stringContaining('that you belong to') })
      else expect(result).not.toBeInstanceOf(Error)
    }
  })
})

describe.each(Object.entries(ofPerson))('%s', (_, call) => {
  test('asks whoever is signed out to sign in', async () => {
    await expect(call(as(null))).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
  })
})

test('the outputs are the shapes that the pages were promised', () => {
  type Out = inferRouterOutputs<AppRouter>
  expectTypeOf<Out['me']['get']>().toEqualTypeOf<views.MeView>()
  expectTypeOf<Out['orgs']['create']>().toEqualTypeOf<views.OrgSummary>()
  expectTypeOf<Out['orgs']['get']>().toEqualTypeOf<views.OrgView>()
  expectTypeOf<Out['orgs']['setArchive']>().toEqualTypeOf<views.OrgArchive>()
  expectTypeOf<Out['overview']['get']>().toEqualTypeOf<views.OverviewView>()
  expectTypeOf<Out['agents']['list']>().toEqualTypeOf<views.AgentRow[]>()
  expectTypeOf<Out['machines']['list']>().toEqualTypeOf<views.MachineRow[]>()
  expectTypeOf<Out['network']['get']>().toEqualTypeOf<views.NetworkView>()
  expectTypeOf<Out['machines']['createKey']>().toEqualTypeOf<views.NewMachineKey>()
  expectTypeOf<Out['messages']['list']>().toEqualTypeOf<views.MessagePage>()
  expectTypeOf<Out['messages']['get']>().toEqualTypeOf<views.MessageDetail>()
  expectTypeOf<Out['inbox']['list']>().toEqualTypeOf<views.ConversationRow[]>()
  expectTypeOf<Out['inbox']['get']>().toEqualTypeOf<views.ConversationPage>()
  expectTypeOf<Out['inbox']['send']>().toEqualTypeOf<{ id: string; key: string }>()
  expectTypeOf<Out['channels']['list']>().toEqualTypeOf<views.ChannelRow[]>()
  expectTypeOf<Out['channels']['create']>().toEqualTypeOf<views.ChannelRow>()
  expectTypeOf<Out['channels']['update']>().toEqualTypeOf<views.ChannelRow>()
  expectTypeOf<Out['link']['inspect']>().toEqualTypeOf<views.LinkRequestView>()
})
