import type { Candidate } from '@agent-relay/protocol'
import { describe, expect, test } from 'vitest'
import { createLinkNetwork } from '../../../test/support/link-network.ts'
import { dialsOf, expectOneLink, runBusy, two } from '../../../test/support/link-tests.ts'
import { DEAD_MS, HOT_LINKS, IDLE_CLOSE_MS, PAUSE_MS } from './limits.ts'

const lan = (host: string, port = 4000): Candidate => ({ kind: 'lan', host, port })

describe('a link lives and ends', () => {
  test('a cut is noticed within 8 s while messages go: suspect, then the relay; healed, it comes back by itself', () => {
    const network = createLinkNetwork()
    const [ann, bob] = two(network)
    runBusy(network, 20_000)
    network.cut('ann', 'bob')
    const cutAt = network.now()
    const states: string[] = []
    while (ann.using.get('bob') !== null) {
      runBusy(network, 100)
      states.push(ann.view('bob')?.state as string)
      expect(network.now() - cutAt).toBeLessThan(8_000)
    }
    expect([...new Set(states)]).toEqual(['direct', 'suspect', 'probing'])
    expect(network.now() - cutAt).toBeGreaterThan(DEAD_MS - 3_100)
    runBusy(network, 5_000)
    expect(bob.using.get('ann')).toBe(null)
    expect(ann.view('bob')).toMatchObject({ state: 'relay', kind: null, latencyMs: null })
    network.heal('ann', 'bob')
    runBusy(network, 61_000 * 1.1)
    expectOneLink(network, 'ann', 'bob')
  })

  test('an idle link that a message finds cut is given up 6.5 s after it', () => {
    const network = createLinkNetwork()
    const [ann] = two(network)
    network.run(100_000)
    network.cut('ann', 'bob')
    network.demand('ann', 'bob')
    network.run(6_400)
    expect(ann.view('bob')?.state).toBe('suspect')
    network.run(200)
    expect(ann.using.get('bob')).toBe(null)
  })

  test('it is asked every 3 s while messages go and every 20 s when none do', () => {
    const network = createLinkNetwork()
    const [ann] = two(network)
    const pings = () => ann.effects.filter(({ effect }) => effect.type === 'ping').length
    runBusy(network, 10_000)
    const first = pings()
    runBusy(network, 30_000)
    expect(pings() - first).toBe(10)
    network.run(60_000)
    const second = pings()
    network.run(100_000)
    expect(pings() - second).toBe(5)
  })

  test('a word of any kind keeps a link that is too busy to answer pings', () => {
    const network = createLinkNetwork()
    const [ann] = two(network)
    network.run(1_000)
    const link = ann.using.get('bob') as string
    network.cut('ann', 'bob')
    for (let i = 0; i < 10; i++) {
      network.run(2_000)
      ann.tell({ type: 'heard', link })
    }
    expect(ann.using.get('bob')).toBe(link)
  })

  test('a process that stood still does not take its links for dead', () => {
    const network = createLinkNetwork()
    const [ann] = two(network)
    network.run(1_000)
    const link = ann.using.get('bob') as string
    const late = network.now() + 60_000
    expect(ann.links.step([{ type: 'tick' }], late).filter(({ type }) => type === 'use' || type === 'close')).toEqual(
      [],
    )
    expect(ann.links.linkOf('bob')).toBe(link)
    expect(ann.links.step([{ type: 'tick' }], late + DEAD_MS + 100).map(({ type }) => type)).toContain('ping')
  })

  test('idle for 5 minutes it closes, quietly, and the next message opens it again', () => {
    const network = createLinkNetwork()
    const [ann, bob] = two(network)
    network.run(IDLE_CLOSE_MS + 1_000)
    expect(ann.using.get('bob')).toBe(null)
    expect(bob.using.get('ann')).toBe(null)
    expect(network.open('ann', 'bob')).toEqual([])
    network.run(1_000_000)
    expect(network.open('ann', 'bob')).toEqual([])
    network.demand('bob', 'ann')
    network.run(1_000)
    expectOneLink(network, 'ann', 'bob')
  })

  test('after four links that lived less than 5 s there is a pause of 5 minutes, at both ends', () => {
    const network = createLinkNetwork()
    const [ann, bob] = two(network)
    let broken = 0
    for (let i = 0; i < 200; i++) {
      network.demand('ann', 'bob')
      network.run(100)
      const link = ann.using.get('bob')
      if (typeof link !== 'string') continue
      network.breakLink(link)
      broken++
      network.run(1)
    }
    expect(broken).toBe(4)
    expect(ann.view('bob')?.why).toMatch(/kept breaking/)
    expect(bob.view('ann')?.why).toMatch(/kept breaking/)
    runBusy(network, PAUSE_MS)
    runBusy(network, 5_000)
    expectOneLink(network, 'ann', 'bob')
  })

  test('a reset of a steady link is repaired at once', () => {
    const network = createLinkNetwork()
    const [ann] = two(network)
    runBusy(network, 10_000)
    const link = ann.using.get('bob') as string
    network.breakLink(link)
    network.run(200)
    expect(expectOneLink(network, 'ann', 'bob')).not.toBe(link)
    expect(
      ann.effects
        .filter(({ effect }) => effect.type === 'use')
        .map(({ effect }) => (effect as { link: string | null }).link),
    ).toContain(null)
  })

  test('a new run of the other end ends the old link, told or not', () => {
    for (const isKilled of [false, true]) {
      const network = createLinkNetwork()
      const [ann, bob] = two(network)
      network.run(10_000)
      const old = ann.using.get('bob') as string
      network.restart(bob, { isKilled })
      network.demand('bob', 'ann')
      network.run(1_500)
      expect(expectOneLink(network, 'ann', 'bob')).not.toBe(old)
    }
  })

  test('an end that lost its half gets a new link within moments, for the other asks the old one once', () => {
    const network = createLinkNetwork()
    const [ann, bob] = two(network)
    runBusy(network, 10_000)
    const old = ann.using.get('bob') as string
    for (const lost of [ann, bob]) {
      // Its system dropped the connection, and the reset never arrived.
      const other = lost === ann ? bob : ann
      const link = lost.using.get(other.name) as string
      network.drop(lost.name, link)
      lost.tell({ type: 'closed', link, why: 'no route to host' })
      network.demand(lost.name, other.name)
      network.run(1_500)
      expect(ann.using.get('bob')).toEqual(expect.any(String))
      expect(ann.using.get('bob')).not.toBe(link)
      expect(bob.using.get('ann')).toBe(ann.using.get('bob'))
      runBusy(network, 10_000)
      expectOneLink(network, 'ann', 'bob')
    }
    expect(ann.using.get('bob')).not.toBe(old)
  })

  test('who leaves the roster, or has another key there, loses the link at once and gets none', () => {
    for (const machines of [
      new Map(),
      new Map([['bob', { publicKey: 'another', canBeAsked: true, isOnline: true }]]),
    ]) {
      const network = createLinkNetwork()
      const [ann] = two(network)
      network.run(1_000)
      const link = ann.using.get('bob') as string
      ann.tell({ type: 'roster', machines })
      expect(ann.using.get('bob')).toBe(null)
      expect(ann.effects.at(-1)?.at).toBe(network.now())
      expect(ann.effects.some(({ effect }) => effect.type === 'close' && effect.link === link)).toBe(true)
      if (machines.size > 0) continue
      const before = ann.effects.length
      network.demand('ann', 'bob')
      ann.tell({
        type: 'opened',
        link: { id: 'x', machine: 'bob', bootId: 'y', role: 'listener', kind: 'lan', remote: { host: 'b', port: 1 } },
      })
      expect(ann.effects.slice(before).map(({ effect }) => effect.type)).toEqual(['close'])
    }
  })

  test('a machine that may not link closes all it has, dials nobody and takes nobody', () => {
    const network = createLinkNetwork()
    const [ann, bob] = two(network)
    network.run(1_000)
    ann.tell({ type: 'allowed', offBecause: 'this machine was revoked' })
    expect(ann.using.get('bob')).toBe(null)
    expect(ann.view('bob')).toMatchObject({ state: 'relay', why: 'this machine was revoked' })
    const before = dialsOf(ann).length
    network.demand('bob', 'ann')
    runBusy(network, 20_000)
    expect(dialsOf(ann).length).toBe(before)
    expect(ann.using.get('bob')).toBe(null)
    expect(network.open('bob', 'ann')).toEqual([])
    expect(bob.using.get('ann') ?? null).toBe(null)
    ann.tell({ type: 'allowed', offBecause: null })
    runBusy(network, 400_000)
    expectOneLink(network, 'ann', 'bob')
  })

  test('at most 64 links are kept; who is talked to takes the place of who is not', () => {
    const network = createLinkNetwork()
    const hub = network.add('hub')
    for (let i = 0; i <= HOT_LINKS; i++) network.add(`m${i}`)
    for (let i = 0; i < HOT_LINKS; i++) {
      network.demand('hub', `m${i}`)
      network.run(1_000)
    }
    const hot = () => [...hub.using.values()].filter((link) => link !== null).length
    expect(hot()).toBe(HOT_LINKS)
    network.demand('hub', `m${HOT_LINKS}`)
    network.run(1_000)
    expect(hot()).toBe(HOT_LINKS)
    expect(hub.using.get('m0')).toBe(null)
    expect(hub.using.get(`m${HOT_LINKS}`)).toEqual(expect.any(String))
    expect(network.node('m0').using.get('hub')).toBe(null)
  })

  test('with 64 links that are all in use another one is refused and stays with the relay', () => {
    const network = createLinkNetwork()
    const hub = network.add('hub')
    for (let i = 0; i <= HOT_LINKS; i++) network.add(`m${i}`)
    for (let i = 0; i < HOT_LINKS; i++) network.demand('hub', `m${i}`)
    for (let second = 0; second < 20; second++) {
      for (let i = 0; i < HOT_LINKS; i++) network.demand('hub', `m${i}`)
      network.run(1_000)
    }
    network.demand('hub', `m${HOT_LINKS}`)
    network.run(1_000)
    const [first] = [...hub.using.entries()].filter(([, link]) => link === null)
    expect(first).toBeUndefined()
    expect(hub.using.get(`m${HOT_LINKS}`) ?? null).toBe(null)
  })
})

describe('a better way', () => {
  test('a far link gives way to a near one once there is one, and never the other way round', () => {
    let isHome = false
    const network = createLinkNetwork({ reaches: (_, { kind }) => (kind === 'lan' ? isHome : kind === 'mapped') })
    const ways = (name: string): Candidate[] => [lan(name), { kind: 'mapped', host: name, port: 4001 }]
    const [ann, bob] = [network.add('ann', ways('ann')), network.add('bob', ways('bob'))]
    network.demand('ann', 'bob')
    runBusy(network, 10_000)
    expect(ann.view('bob')).toMatchObject({ state: 'direct', kind: 'mapped' })
    isHome = true
    runBusy(network, 70_000)
    expect(ann.view('bob')).toMatchObject({ state: 'direct', kind: 'lan' })
    expect(bob.view('ann')).toMatchObject({ state: 'direct', kind: 'lan' })
    const link = expectOneLink(network, 'ann', 'bob')
    runBusy(network, 1_300_000)
    expect(expectOneLink(network, 'ann', 'bob')).toBe(link)
  })

  test('of the same kind only by 5 ms and a tenth', () => {
    for (const [second, isBetter] of [
      [18, false],
      [10, true],
    ] as const) {
      const network = createLinkNetwork({ delayMs: () => 20 })
      two(network)
      runBusy(network, 10_000)
      const link = expectOneLink(network, 'ann', 'bob')
      // One end dials once more, by a faster way.
      network.arrive('ann', 'bob', second)
      network.run(3_000)
      expect(expectOneLink(network, 'ann', 'bob') !== link).toBe(isBetter)
    }
  })

  test('another network: suspects are asked at once, addresses are told, and what paused is tried', () => {
    const network = createLinkNetwork()
    const [ann, bob] = two(network)
    network.run(60_000)
    const before = ann.effects.length
    ann.tell({
      type: 'candidates',
      candidates: [lan('ann', 4000), lan('ann', 4002)],
      hosts: ['ann'],
      canPunch: false,
      isNew: true,
    })
    const types = ann.effects.slice(before).map(({ effect }) => effect.type)
    expect(types).toContain('ping')
    expect(types).toContain('signal')
    network.run(3_000)
    expectOneLink(network, 'ann', 'bob')
    network.cut('ann', 'bob')
    runBusy(network, 30_000)
    expect(ann.view('bob')?.state).toBe('relay')
    network.heal('ann', 'bob')
    bob.tell({ type: 'candidates', candidates: bob.candidates, hosts: ['bob'], canPunch: false, isNew: true })
    network.demand('bob', 'ann')
    network.run(1_000)
    expectOneLink(network, 'ann', 'bob')
  })
})
