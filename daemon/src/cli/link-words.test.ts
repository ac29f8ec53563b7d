import type { MachineView, NetcheckView, PingView, StatusView } from '@agent-relay/protocol/local'
import { expect, test } from 'vitest'
import type { z } from 'zod'
import { reportLines } from './netcheck.ts'
import { pongLine, verdict } from './ping.ts'
import { statusLines } from './status.ts'

type Machine = z.infer<typeof MachineView>
type Link = NonNullable<Machine['link']>
type Status = z.infer<typeof StatusView>
type Netcheck = z.infer<typeof NetcheckView>

const plain = (_: string, text: string): string => text
const hoursAgo = (hours: number): number => Date.now() - hours * 3_600_000 - 1000

const machine = (facts: Partial<Machine> & { name: string }): Machine => ({
  ...{ id: facts.name, person: facts.name.split('-')[0] ?? '', platform: 'macOS', isSelf: false, isOnline: true },
  ...{ lastSeenAt: null, path: 'relay', latencyMs: 61, queued: 0, sent: 0, received: 0, agents: [] },
  ...facts,
})
const link = (facts: Partial<Link>): Link => ({
  ...{ state: 'direct', kind: 'lan', remote: '192.168.1.23:41650', latencyMs: 3, why: 'it answered first', forMs: 1 },
  ...facts,
})
const status = (facts: Partial<Status> = {}): Status => ({
  ...{ version: '0.1.0', pid: 7, home: '/h', uptimeMs: 5000, queued: 0, failed: 0, health: [], machines: [] },
  linked: { url: 'https://relay.test', org: 'acme', orgName: 'Acme', person: 'alice' },
  control: { state: 'connected', latencyMs: 12, reason: null },
  ...facts,
})
const lineOf = (facts: Partial<Machine>): string | undefined =>
  statusLines(status({ machines: [machine({ name: 'bob-mbp', agents: ['API', 'DB'], ...facts })] }), plain)[0]

test('status is in the form of the contract', () => {
  const machines = [
    machine({ name: 'eve-mini', isOnline: false, path: null, lastSeenAt: hoursAgo(3), queued: 14, agents: ['Mobile'] }),
    machine({ name: 'carol-lt', platform: 'linux', queued: 2, unacked: 2, agents: ['Utils'] }),
    machine({
      ...{ name: 'bob-mbp', path: 'direct', latencyMs: 3, sent: 182, received: 177, agents: ['API', 'DB'] },
      link: link({}),
    }),
    machine({ name: 'alice-mbp', isSelf: true, path: 'local', latencyMs: null, agents: ['Lead', 'Designer'] }),
  ]
  const health = ['Utils has 3 messages injected but not seen for 22m: agent-relay trace 01J9']
  expect(statusLines(status({ machines, health }), plain)).toEqual([
    'alice-mbp  alice@  macOS  self; Lead, Designer',
    'bob-mbp    bob@    macOS  active; direct lan 192.168.1.23:41650 3ms, tx 182 rx 177; API, DB',
    'carol-lt   carol@  linux  active; relay 61ms, 2 unacked; Utils',
    'eve-mini   eve@    macOS  offline, last seen 3h ago, 14 queued; Mobile',
    '',
    '# Acme at https://relay.test: connected 12ms; up 5s, pid 7, 0.1.0',
    '',
    '# Health check:',
    '#     - Utils has 3 messages injected but not seen for 22m: agent-relay trace 01J9',
  ])
})

test('a link that is looked for, doubted, or all that is left is said so', () => {
  const nothing = { kind: null, remote: null, latencyMs: null }
  expect(lineOf({ link: link({ state: 'probing', ...nothing }) })).toBe(
    'bob-mbp  bob@  macOS  active; relay 61ms, looking for a direct link; API, DB',
  )
  expect(lineOf({ link: link({ state: 'relay', ...nothing }) })).toContain('active; relay 61ms; API')
  expect(lineOf({ link: link({ state: 'suspect' }) })).toContain(
    'active; relay 61ms, direct lan 192.168.1.23:41650 does not answer; API',
  )
  // The control plane does not see it any more, this machine does.
  expect(lineOf({ isOnline: false, path: 'direct', latencyMs: 3, link: link({}) })).toContain('active; direct lan')
  expect(lineOf({ path: null, latencyMs: null })).toContain('macOS  online; API')
})

test('what is under way is told apart from what waits, where the daemon knows', () => {
  expect(lineOf({ queued: 5, unacked: 2 })).toContain('relay 61ms, 2 unacked, 3 queued; API')
  expect(lineOf({ queued: 5 })).toContain('relay 61ms, 5 queued; API')
})

test.each([
  ['sealed', [], '# messages are sealed between machines: the control plane cannot read them'],
  [
    'sealed',
    ['old-mac'],
    '# messages are sealed between machines: the control plane cannot read them; not sealed to old-mac, because its agent-relay is too old',
  ],
  [
    'archived',
    [],
    "# messages are sealed between machines, and Acme's archive is on: its members read them in the dashboard",
  ],
  ['off', [], '# messages are not sealed: the control plane can read them'],
  [
    'off',
    ['a', 'b', 'c', 'd', 'e'],
    '# messages are not sealed: the control plane can read what goes to a, b, c and 2 more, because their agent-relay is too old',
  ],
] as const)('who can read messages is one line: %s, %j', (mode, unsealed, line) => {
  expect(statusLines(status({ sealing: { mode, unsealed: [...unsealed] } }), plain)).toContain(line)
})

const pong = (facts: Partial<z.infer<typeof PingView>> = {}): z.infer<typeof PingView> => ({
  ...{ machine: 'carol-lt', agent: 'Utils', path: 'relay', kind: null, remote: null, latencyMs: 61 },
  ...{ inbox: 'ok', status: 'idle', why: 'no address of carol-lt answered' },
  ...facts,
})

test('a pong says who answered, which way, how fast, and whether messages are taken there', () => {
  expect(pongLine(pong())).toBe('pong from Utils@carol-lt via relay in 61ms [inbox ok, agent idle]')
  expect(pongLine(pong({ agent: null, status: null, path: 'direct', kind: 'lan', remote: '10.0.0.2:4000' }))).toBe(
    'pong from carol-lt via direct lan 10.0.0.2:4000 in 61ms [inbox ok]',
  )
  expect(pongLine(pong({ status: null, inbox: 'full' }))).toContain('[inbox full, agent not registered there]')
  expect(pongLine(pong({ path: 'local', inbox: null, latencyMs: 0 }))).toBe(
    'pong from Utils@carol-lt via local in 0ms [agent idle]',
  )
})

test('the last sentence says what did not come up, why, and what to do next', () => {
  expect(verdict(pong(), { answered: 10, count: 10 })).toBe(
    'No direct link to carol-lt came up in 10 tries, so messages go by relay: no address of carol-lt answered. Next: agent-relay netcheck',
  )
  expect(verdict(pong({ path: null, why: 'carol-lt is offline.' }), { answered: 0, count: 1 })).toBe(
    'Utils@carol-lt did not answer in one try: carol-lt is offline. Next: agent-relay status',
  )
})

const found: Netcheck = {
  control: { url: 'https://relay.test', isReachable: true, latencyMs: 18.5, reason: null },
  direct: { isOn: true, why: 'listening' },
  ...{ ipv4: ['192.168.1.20'], ipv6: [], seenAs: '203.0.113.7', port: 41650, isReached: false },
  mapping: { state: 'none', external: null, why: 'the router answers neither NAT-PMP nor UPnP' },
  punch: { isPossible: false, why: 'the router changes ports' },
  candidates: [
    { kind: 'lan', host: '192.168.1.20', port: 41650, isReachable: null, why: '' },
    { kind: 'public', host: '2001:db8::20', port: 41650, isReachable: false, why: 'no answer there' },
  ],
  advice: 'Let TCP port 41650 through',
}

test('netcheck is a report, a fact a line, with the advice at its end', () => {
  expect(reportLines(found)).toEqual([
    'Report:',
    '    * Control plane: https://relay.test, 19ms',
    '    * IPv4: yes, 192.168.1.20',
    '    * IPv6: no',
    '    * Seen as: 203.0.113.7',
    '    * Listening: port 41650, not reached from outside',
    '    * Port mapping: no, the router answers neither NAT-PMP nor UPnP',
    '    * NAT keeps ports: no, the router changes ports',
    '    * Candidates:',
    '        - lan 192.168.1.20:41650',
    '        - public [2001:db8::20]:41650, not reached: no answer there',
    '',
    '# Let TCP port 41650 through',
  ])
})

test('netcheck of a machine without a link says that and nothing that it does not know', () => {
  const unlinked = reportLines({
    ...found,
    control: { url: null, isReachable: false, latencyMs: null, reason: 'this machine is not linked' },
    direct: { isOn: false, why: 'this machine is not linked' },
    ...{ seenAs: null, port: null, isReached: null, candidates: [], advice: null },
    punch: { isPossible: null, why: 'not tried' },
  })
  expect(unlinked).toContain('    * Control plane: none, this machine is not linked')
  expect(unlinked).toContain('    * Listening: no, this machine is not linked')
  expect(unlinked).toContain('    * NAT keeps ports: unknown, not tried')
  expect(unlinked.at(-1)).toBe('    * Candidates: none')
})
