import { NetcheckView } from '@agent-relay/protocol/local'
import { expect, test } from 'vitest'
import { netcheckView } from './netcheck.ts'
import type { NetFacts } from './peering.ts'

const facts: NetFacts = {
  ...{ isOn: true, why: 'listening', port: 41650, observedAddress: '203.0.113.7' },
  candidates: [{ kind: 'lan', host: '192.168.1.20', port: 41650, isReachable: null, why: 'of this network' }],
  mapping: { state: 'none', external: null, why: 'the router does not answer' },
  punch: { isPossible: false, why: 'the router changes ports' },
}
const view = (change: Partial<NetFacts> = {}, url: string | null = 'https://relay.test') =>
  NetcheckView.parse(
    netcheckView({
      url,
      control: { state: 'connected', latencyMs: 18, reason: null },
      facts: { ...facts, ...change },
      interfaces: {},
    }),
  )

test('advice is given only when the relay is all that is left', () => {
  const advice = (change: Partial<NetFacts>) => view(change).advice
  expect(advice({})).toMatch(/by relay only: turn on UPnP or NAT-PMP in the router, let TCP port 41650 through/)
  const open = { kind: 'mapped', host: '203.0.113.7', port: 41650, isReachable: true, why: '' } as const
  expect(advice({ candidates: [open] })).toBeNull()
  expect(advice({ candidates: [{ ...open, isReachable: null }] })).toBeNull()
  expect(advice({ candidates: [{ ...open, kind: 'vpn' }] })).toBeNull()
  expect(advice({ punch: { isPossible: true, why: '' } })).toBeNull()
  // Not tried is not known: no advice for a problem that may not exist.
  expect(advice({ punch: { isPossible: null, why: '' } })).toBeNull()
  const shut = { state: 'mapped', external: { host: '203.0.113.7', port: 41650 }, why: '' } as const
  expect(advice({ mapping: shut, candidates: [{ ...open, isReachable: false }] })).toMatch(/only: let TCP port 41650/)
  expect(advice({ isOn: false, why: 'turned off' })).toBe(
    'This machine makes no direct links (turned off): everything goes by relay',
  )
  expect(view({}, null).advice).toBe('Link this machine first: agent-relay link')
})

test('it was reached from outside when any of its addresses was, and nobody knows when none was tried', () => {
  const candidate = (isReachable: boolean | null) =>
    ({ kind: 'public', host: '203.0.113.7', port: 41650, isReachable, why: '' }) as const
  const isReached = (...all: (boolean | null)[]) => view({ candidates: all.map(candidate) }).isReached
  expect([isReached(null), isReached(null, false), isReached(false, true)]).toEqual([null, false, true])
})

test('addresses that only this machine or one cable can use are none', () => {
  const one = (address: string, family: 'IPv4' | 'IPv6', internal = false) =>
    ({ address, family, internal, netmask: '', mac: '', cidr: null, ...(family === 'IPv6' && { scopeid: 0 }) }) as never
  const { ipv4, ipv6 } = netcheckView({
    ...{ url: null, facts, control: { state: 'unlinked', latencyMs: null, reason: null } },
    interfaces: {
      lo: [one('127.0.0.1', 'IPv4', true), one('::1', 'IPv6', true)],
      en0: [one('192.168.1.20', 'IPv4'), one('fe80::1', 'IPv6'), one('fd7a::1', 'IPv6'), one('2001:db8::20', 'IPv6')],
      en1: [one('169.254.3.3', 'IPv4')],
    },
  })
  expect([ipv4, ipv6]).toEqual([['192.168.1.20'], ['fd7a::1', '2001:db8::20']])
})

test('words of a cause of any length fit the frame', () => {
  expect(view({ why: 'x'.repeat(500) }).direct.why).toHaveLength(200)
})
