import type { NetworkInterfaceInfo } from 'node:os'
import type { Candidate, ReachAnswer } from '@agent-relay/protocol'
import { afterEach, expect, test, vi } from 'vitest'
import type { Interfaces } from './candidates.ts'
import type { PortMapper } from './port-mapper.ts'
import { createReach } from './reach.ts'

const at = (address: string): NetworkInterfaceInfo =>
  ({ address, internal: false, family: address.includes(':') ? 'IPv6' : 'IPv4' }) as NetworkInterfaceInfo

type World = { interfaces?: Interfaces; advertised?: Candidate[]; external?: { host: string; port: number } | null }

/** A machine that the control plane sees at `seen`, where `open` ports answer. */
function machine(seen: string | null, open: number[], { interfaces = {}, advertised = [], external = null }: World) {
  const asked: number[] = []
  const told: string[] = []
  const mapper: PortMapper = {
    view: () => ({ state: external === null ? 'none' : 'mapped', external, why: '' }),
    map: async () => mapper.view(),
    stop: async () => undefined,
  }
  const reach = createReach({
    port: 4100,
    interfaces: () => interfaces,
    advertised,
    mapper,
    checkReach: async (port): Promise<ReachAnswer> => {
      asked.push(port)
      return { address: seen, isReachable: open.includes(port), why: 'tried' }
    },
    changed: () =>
      told.push(
        reach
          .candidates()
          .map(({ kind, host, port }) => `${kind} ${host}:${port}`)
          .join(' '),
      ),
  })
  return { reach, asked, told }
}

test('a public address is told only after the control plane reached this machine there', async () => {
  const interfaces = { eth0: [at('2001:db8::5'), at('192.168.1.5')] }
  const open = machine('2001:db8::5', [4100], { interfaces })
  expect(open.reach.candidates().map(({ kind }) => kind)).toEqual(['lan'])
  await open.reach.check()
  expect(open.told).toEqual(['lan 192.168.1.5:4100 public 2001:db8::5:4100'])

  const closed = machine('2001:db8::5', [], { interfaces })
  await closed.reach.check()
  expect(closed.reach.candidates().map(({ kind }) => kind)).toEqual(['lan'])
  expect(closed.reach.facts().at(-1)).toMatchObject({ kind: 'public', isReachable: false, why: 'tried' })

  // It sees this machine elsewhere: nobody tried this address.
  const elsewhere = machine('203.0.113.9', [4100], { interfaces })
  await elsewhere.reach.check()
  expect(elsewhere.reach.candidates().map(({ kind }) => kind)).toEqual(['lan'])
  expect(elsewhere.reach.facts().at(-1)).toMatchObject({ isReachable: null })
  expect(elsewhere.reach.observedAddress()).toBe('203.0.113.9')
})

test('a mapped port is told when it answers from outside; behind two routers it does not', async () => {
  const external = { host: '203.0.113.9', port: 5200 }
  const one = machine('203.0.113.9', [5200], { interfaces: { en0: [at('192.168.1.5')] }, external })
  await one.reach.check()
  expect(one.asked).toEqual([5200])
  expect(one.reach.candidates()).toContainEqual({ kind: 'mapped', ...external })
  const two = machine('198.51.100.1', [5200], { external })
  await two.reach.check()
  expect(two.reach.candidates()).toEqual([])
})

test('what a person advertises is told unless it was tried in vain; a name is for others to try', async () => {
  const advertised: Candidate[] = [
    { kind: 'advertised', host: 'bob.example.com', port: 443 },
    { kind: 'advertised', host: '203.0.113.9', port: 5300 },
  ]
  const { reach, asked } = machine('203.0.113.9', [], { advertised })
  expect(reach.candidates().length).toBe(2)
  await reach.check()
  expect(asked).toEqual([5300])
  expect(reach.candidates()).toEqual([advertised[0]])
  expect(reach.facts().find(({ port }) => port === 443)).toMatchObject({ isReachable: null })
})

test('a control plane that is away leaves what is public untold, and nothing throws', async () => {
  const reach = createReach({
    port: 4100,
    interfaces: () => ({ eth0: [at('203.0.113.9'), at('10.1.1.1')] }),
    advertised: [],
    mapper: {
      view: () => ({ state: 'none', external: null, why: '' }),
      map: async () => ({}) as never,
      stop: async () => undefined,
    },
    checkReach: () => Promise.reject(new Error('away')),
    changed: () => undefined,
  })
  await reach.check()
  expect(reach.candidates().map(({ kind }) => kind)).toEqual(['lan'])
  reach.stop()
})

afterEach(() => void vi.useRealTimers())

test('what was not reached is asked about again after 5 s, then ever more rarely, and what was after 10 min', async () => {
  vi.useFakeTimers()
  const open: number[] = []
  const { reach, asked, told } = machine('203.0.113.9', open, { interfaces: { eth0: [at('203.0.113.9')] } })
  await reach.check()
  const gaps: number[] = []
  for (let seconds = 1; gaps.length < 9; seconds++) {
    await vi.advanceTimersByTimeAsync(1_000)
    if (asked.length === gaps.length + 1) continue
    gaps.push(seconds)
    seconds = 0
  }
  expect(gaps).toEqual([5, 10, 20, 40, 80, 160, 320, 600, 600])
  expect(told.join('')).toBe('')
  open.push(4100)
  await vi.advanceTimersByTimeAsync(600_000)
  expect(told.at(-1)).toBe('public 203.0.113.9:4100')
  const before = asked.length
  await vi.advanceTimersByTimeAsync(599_000)
  expect(asked.length).toBe(before)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(asked.length).toBe(before + 1)
  // It is in another network: there it begins anew.
  open.length = 0
  reach.moved()
  await reach.check()
  await vi.advanceTimersByTimeAsync(5_000)
  expect(asked.length).toBe(before + 3)
  reach.stop()
  await vi.advanceTimersByTimeAsync(3_600_000)
  expect(asked.length).toBe(before + 3)
})

test('in another network nothing of what was found out counts', async () => {
  const { reach } = machine('203.0.113.9', [4100], { interfaces: { eth0: [at('203.0.113.9')] } })
  await reach.check()
  expect(reach.candidates().length).toBe(1)
  reach.moved()
  expect(reach.candidates()).toEqual([])
  reach.stop()
})
