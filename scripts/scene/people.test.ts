/** People in the dashboard and agents on two machines write to each other: real daemons, the real command line and gateway. */
import { execFile } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { requireMembership } from '#lib/access/authorize.ts'
import { joinChannel } from '#lib/services/channels/join-channel.ts'
import type { UserActor } from '#lib/services/context.ts'
import { getConversation } from '#lib/services/inbox/get-conversation.ts'
import { listConversations } from '#lib/services/inbox/list-conversations.ts'
import { markRead } from '#lib/services/inbox/mark-read.ts'
import { sendAsPerson } from '#lib/services/inbox/send-as-person.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import { linkMachine, startGateway, type TestGateway } from '#lib/testing/machines.ts'
import { contextOf, foundTeam } from '#lib/testing/people.ts'
import { writeConfig } from '../../daemon/src/home/config.ts'
import { homePaths } from '../../daemon/src/home/paths.ts'
import { daemonLab } from '../../daemon/test/daemon-process.ts'
import { buildBundle } from '../../daemon/test/support/bundle.ts'

let cli: string
let database: TestDatabase
let gateway: TestGateway
let owner: UserActor
let org: { id: string; slug: string; name: string }
let lab: ReturnType<typeof daemonLab>
let count = 0

beforeAll(async () => {
  cli = buildBundle()
  database = await createTestDatabase()
  const team = await foundTeam(database.db, 'Olga', 'Acme')
  owner = team.owner
  org = { id: team.org.id, slug: team.org.slug, name: 'Acme' }
}, 60_000)
afterAll(async () => {
  rmSync(join(dirname(cli), '../../..'), { recursive: true, force: true })
  await database.drop()
})
beforeEach(async () => {
  // What the control plane carries is what these tests are about.
  lab = daemonLab(cli, { AGENT_RELAY_PEER_PORT: 'off' })
  gateway = await startGateway(database.db)
})
afterEach(async () => {
  await lab.close()
  await gateway.close()
})

const ofOlga = () => requireMembership(contextOf(database.db, owner), org.id)
type Client = Awaited<ReturnType<typeof lab.connect>>

/** A linked machine whose daemon runs, with one agent that takes its messages. */
async function machine(agent: string) {
  const linked = await linkMachine(database.db, owner, org.id, `m${++count}`)
  const home = lab.home(linked.name)
  mkdirSync(home, { recursive: true, mode: 0o700 })
  const pem = linked.identity.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
  writeFileSync(homePaths(home).identity, pem, { mode: 0o600 })
  writeConfig(homePaths(home), {
    v: 1,
    link: {
      url: gateway.url,
      key: linked.key,
      machine: { id: linked.id, name: linked.name },
      org,
      person: 'Olga',
      linkedAt: 0,
    },
  })
  const daemon = await lab.start(home)
  const client = await lab.connect(home)
  await expect
    .poll(async () => (await client.request('status', {})).control.state, { timeout: 15_000 })
    .toBe('connected')
  expect((await client.request('register', { name: agent })).claim).toBe('granted')
  await client.request('subscribe', {})
  return { home, daemon, client }
}

/** Runs a command on this home. */
const relay = (home: string, args: string[]) =>
  new Promise<{ code: number; stdout: string; stderr: string }>((resolve) =>
    execFile(process.execPath, [cli, ...args], { env: { ...process.env, AGENT_RELAY_HOME: home } }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, stdout: out, stderr: err }),
    ),
  )

const bodies = ({ deliveries }: Client): string[] => deliveries.map(({ message }) => message.body)

test('an agent asks a person, who answers from the dashboard, and the agent answers back', async () => {
  const { client: alice, home } = await machine('Alice')
  const asked = await alice.request('send', { to: '@olga', body: 'which database?', thread: 'db' })
  expect(asked.messages).toMatchObject([{ agent: '@Olga', machine: 'dashboard', state: 'queued' }])
  const wait = { ids: [asked.id], timeoutMs: 15_000 }
  expect(await alice.request('wait', { ...wait, state: 'accepted' })).toMatchObject({
    isReached: true,
    messages: [{ note: 'accepted: in the inbox of @Olga on dashboard' }],
  })
  const ctx = await ofOlga()
  const [row] = await listConversations(ctx)
  expect(row).toMatchObject({ key: 'agent:alice', unread: 1, preview: 'which database?', lastFrom: 'Alice' })
  await markRead(ctx, { key: 'agent:alice' })
  expect(await alice.request('wait', { ...wait, state: 'seen' })).toMatchObject({
    isReached: true,
    messages: [{ note: 'seen by @Olga' }],
  })

  const { id } = await sendAsPerson(ctx, { to: 'Alice', body: 'Postgres.', thread: 'db', replyTo: asked.id })
  const [answer] = await alice.delivered(1)
  expect(answer?.message).toMatchObject({
    ...{ id, from: '@Olga', fromPerson: 'Olga', fromMachine: 'dashboard', to: 'Alice' },
    ...{ body: 'Postgres.', thread: 'db', replyTo: asked.id },
  })
  await alice.request('mark', { ids: [id], state: 'seen' })
  const page = async () => (await getConversation(ctx, { key: 'agent:alice' })).rows
  await expect
    .poll(async () => (await page()).at(-1)?.receipts, { timeout: 15_000 })
    .toEqual([{ to: 'Alice', state: 'seen', reason: null }])
  await alice.request('send', { to: answer?.message.from ?? '', body: 'thanks', replyTo: id })
  await expect
    .poll(async () => (await page()).map(({ body }) => body))
    .toEqual(['which database?', 'Postgres.', 'thanks'])
  expect((await page()).at(-1)).toMatchObject({ from: 'Alice', replyTo: id, receipts: null })

  const sent = await relay(home, ['send', '@olgo', 'hello'])
  expect(sent).toMatchObject({ code: 1, stderr: expect.stringMatching(/Nobody is called "@olgo" in Acme.*"@Olga"/) })
  expect((await relay(home, ['agents'])).stdout).toMatch(/^@Olga\s+-\s+dashboard/m)
  // The dashboard's list of messages has both ways.
  await expect
    .poll(() => database.db.messageTrace.count({ where: { fromAgent: 'Alice', toAgent: '@Olga', state: 'seen' } }))
    .toBe(1)
  expect(await database.db.messageTrace.findFirst({ where: { messageId: id } })).toMatchObject({ fromAgent: '@Olga' })
}, 90_000)

test('a channel reaches its members on both machines and its people once, and a member that was away when it is back', async () => {
  const { client: carol, home: left } = await machine('Carol')
  const { client: dave, home: right, daemon } = await machine('Dave')
  const erin = await lab.connect(left, 'Erin')
  await erin.request('subscribe', {})
  expect(await relay(left, ['join', '#Team', '--as', 'carol'])).toMatchObject({ code: 0, stdout: 'Carol made #Team\n' })
  expect(await dave.request('channel.join', { channel: 'team' })).toEqual({
    channel: 'Team',
    isNew: false,
    agent: 'Dave',
  })
  expect(await erin.request('channel.join', { channel: '#TEAM' })).toMatchObject({ channel: 'Team', agent: 'Erin' })
  const ctx = await ofOlga()
  await joinChannel(ctx, { name: 'team' })
  await expect
    .poll(async () => (await relay(left, ['channels'])).stdout, { timeout: 15_000 })
    .toMatch(/#Team\s+Carol, Dave, Erin, @Olga\s+-/)

  const sent = await carol.request('send', { to: '#team', body: 'we ship at five' })
  expect(sent.messages.map(({ agent }) => agent)).toEqual(['Dave', 'Erin', '#Team'])
  const [there] = await dave.delivered(1)
  expect(there?.message).toMatchObject({ from: 'Carol', via: '#Team', body: 'we ship at five' })
  expect((await erin.delivered(1))[0]?.message).toMatchObject({ from: 'Carol', via: '#Team' })
  const ids = sent.messages.map(({ id }) => id)
  expect((await carol.request('wait', { ids, state: 'accepted', timeoutMs: 15_000 })).isReached).toBe(true)
  const room = async () => (await getConversation(ctx, { key: 'channel:team' })).rows
  expect(await room()).toMatchObject([{ from: 'Carol', body: 'we ship at five', isPerson: false }])
  expect((await listConversations(ctx)).find(({ kind }) => kind === 'channel')).toMatchObject({ unread: 1 })

  await lab.kill(daemon)
  const missed = await carol.request('send', { to: '#team', body: 'dave is away' })
  const kept = missed.messages.filter(({ agent }) => agent === '#Team').map(({ id }) => id)
  expect((await carol.request('wait', { ids: kept, state: 'accepted', timeoutMs: 15_000 })).isReached).toBe(true)
  await sendAsPerson(ctx, { to: '#Team', body: 'I am here' })
  await expect.poll(() => bodies(carol), { timeout: 15_000 }).toEqual(['I am here'])
  await expect.poll(() => bodies(erin), { timeout: 15_000 }).toEqual(['we ship at five', 'dave is away', 'I am here'])
  await lab.start(right)
  const again = await lab.connect(right, 'Dave')
  await again.request('subscribe', {})
  await expect
    .poll(() => new Set(bodies(again)), { timeout: 30_000 })
    .toEqual(new Set(['we ship at five', 'dave is away', 'I am here']))
  const fresh = again.deliveries.filter(({ message }) => message.body !== 'we ship at five')
  expect(fresh).toHaveLength(2)
  expect(fresh.find(({ message }) => message.from === '@Olga')?.message).toMatchObject({ via: '#Team' })

  const history = await relay(right, ['channels', '#team', '--json'])
  expect(JSON.parse(history.stdout)).toMatchObject({
    version: 1,
    channel: 'Team',
    messages: [
      { from: 'Carol', body: 'we ship at five' },
      { from: 'Carol', body: 'dave is away' },
      { from: '@Olga', body: 'I am here' },
    ],
    next: null,
  })
  expect(await relay(right, ['leave', 'team', '--as', 'Dave'])).toMatchObject({
    code: 0,
    stdout: 'Dave is not in #Team\n',
  })
  const lost = await relay(right, ['send', '#taem', 'x', '--from', 'Dave'])
  expect(lost).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/"#taem" in Acme.*"#Team".*agent-relay join '#taem'/),
  })
  expect(await relay(right, ['join', '#team'])).toMatchObject({ code: 2, stderr: expect.stringContaining('--as NAME') })
}, 120_000)
