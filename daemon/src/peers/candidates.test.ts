import type { NetworkInterfaceInfo } from 'node:os'
import { expect, test } from 'vitest'
import { arrange, hostsOf, type Interfaces, isPrivate, ofInterfaces, parseAdvertised } from './candidates.ts'
import { gatewayIn } from './gateway.ts'

const at = (address: string, internal = false): NetworkInterfaceInfo =>
  ({ address, internal, family: address.includes(':') ? 'IPv6' : 'IPv4' }) as NetworkInterfaceInfo

const laptop: Interfaces = {
  docker0: [at('172.17.0.1')],
  lo: [at('127.0.0.1', true), at('::1', true)],
  en0: [at('192.168.1.23'), at('fe80::1c2b'), at('2001:db8:1::23'), at('fd12:3456::7'), at('169.254.3.4')],
  utun4: [at('fe80::9'), at('100.101.102.103'), at('fd7a:115c:a1e0::1')],
  wg0: [at('10.8.0.2')],
}

test('interfaces become candidates, the nearest first, and what others cannot use is left out', () => {
  expect(ofInterfaces(laptop, 4100).map(({ kind, host }) => `${kind} ${host}`)).toEqual([
    'local 127.0.0.1',
    'vpn 100.101.102.103',
    'vpn fd7a:115c:a1e0::1',
    'vpn 10.8.0.2',
    'lan 192.168.1.23',
    'lan fd12:3456::7',
    'lan 172.17.0.1',
    'public 2001:db8:1::23',
  ])
  expect(new Set(ofInterfaces(laptop, 4100).map(({ port }) => port))).toEqual(new Set([4100]))
  expect(hostsOf(laptop)).not.toContain('127.0.0.1')
  expect(hostsOf(laptop)).toContain('192.168.1.23')
})

test.each([
  ['10.0.0.1', 'lan'],
  ['172.15.0.1', 'public'],
  ['172.16.0.1', 'lan'],
  ['172.31.255.254', 'lan'],
  ['172.32.0.1', 'public'],
  ['192.168.0.1', 'lan'],
  ['192.169.0.1', 'public'],
  ['100.63.0.1', 'public'],
  ['100.64.0.1', 'vpn'],
  ['100.127.0.1', 'vpn'],
  ['100.128.0.1', 'public'],
  ['8.8.8.8', 'public'],
  ['fc00::1', 'lan'],
  ['fdff::1', 'lan'],
  ['3fff::1', 'public'],
] as const)('%s is %s', (address, kind) => {
  expect(ofInterfaces({ eth0: [at(address)] }, 1)).toEqual([{ kind, host: address, port: 1 }])
  expect(isPrivate(address)).toBe(kind !== 'public')
})

test.each(['0.0.0.0', '169.254.1.1', '224.0.0.1', '255.255.255.255', 'fe80::1', 'ff02::1', '::'])(
  '%s is none',
  (address) => expect(ofInterfaces({ eth0: [at(address)] }, 1)).toEqual([]),
)

test('a machine with a bridge for every container does not crowd out what others can reach', () => {
  const bridges = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`br-${i}`, [at(`172.18.${i}.1`)]]))
  const found = ofInterfaces({ ...bridges, eth0: [at('192.168.1.5')], eth1: [at('2001:db8::5')] }, 1)
  expect(found.length).toBeLessThanOrEqual(15)
  expect(found[0]?.host).toBe('192.168.1.5')
  expect(found.map(({ kind }) => kind)).toContain('public')
})

test('an address that two say is told once, by the nearer kind', () => {
  expect(
    arrange([
      { kind: 'advertised', host: 'a', port: 1 },
      { kind: 'lan', host: 'a', port: 1 },
    ]),
  ).toEqual([{ kind: 'lan', host: 'a', port: 1 }])
})

test('advertised addresses are host:port, and anything else is named', () => {
  expect(parseAdvertised(undefined)).toEqual([])
  expect(parseAdvertised('relay.example.com:41650, [2001:db8::1]:41650,192.0.2.1:1')).toEqual([
    { kind: 'advertised', host: 'relay.example.com', port: 41_650 },
    { kind: 'advertised', host: '2001:db8::1', port: 41_650 },
    { kind: 'advertised', host: '192.0.2.1', port: 1 },
  ])
  for (const bad of [
    'host',
    'host:',
    ':80',
    'host:0',
    'host:70000',
    '2001:db8::1:80',
    'ws://host:80',
    'a b:80',
    '[host]:80',
    'a:1,',
  ])
    expect(() => parseAdvertised(bad), bad).toThrow(/^AGENT_RELAY_ADVERTISE has ".*": set it to host:port/)
})

test("the router is read out of Linux's table", () => {
  const table = [
    'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT',
    'eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0',
    'eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0',
  ].join('\n')
  expect(gatewayIn(table)).toBe('192.168.1.1')
  expect(gatewayIn('')).toBeUndefined()
  expect(gatewayIn(`x\neth0\t00000000\tzz\t0003`)).toBeUndefined()
})
