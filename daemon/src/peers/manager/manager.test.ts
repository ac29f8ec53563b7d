import type { Candidate } from '@agent-relay/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createLinkNetwork, type LinkNetwork, type Node } from '../../../test/support/link-network.ts'
import { DEAD_MS, HOT_LINKS, IDLE_CLOSE_MS, PAUSE_MS, PUNCHES } from './limits.ts'

const lan = (host: string, port = 4000): Candidate => ({ kind: 'lan', host, port })

/** Two machines that messages go between now. */
function two(network: LinkNetwork): [Node, Node] {
  const nodes: [Node, Node] = [network.add('ann'), network.add('bob')]
  network.demand('ann', 'bob')
  return nodes
}

/** Both ends use the same link, and no other is open. */
function expectOneLink(network: LinkNetwork, one: string, other: string): string {
  const [here, there] = [network.node(one).using.get(other), network.node(other).using.get(one)]
  expect(here).toEqual(expect.any(String))
  expect(there).toBe(here)
  expect(network.open(one, other)).toEqual([here])
  expect(network.open(other, one)).toEqual([here])
  return here as string
}

const dialsOf = (node: Node) =>
  node.effects.flatMap(({ at, effect }) => (effect.type === 'dial' ? [{ at, ...effect }] : []))

describe('a link comes', () => {
  test('the first message finds no link, asks for addresses, and a moment later there is one', () => {
    const network = createLinkNetwork()
    const [ann, bob] = two(network)
    expect(ann.view('bob')).toMatchObject({ state: 'probing', why: 'looking for a direct way', kind: null })
    expect(ann.using.get('bob')).toBeUndefined()
    network.run(1_000)
    expectOneLink(network, 'ann', 'bob')
    expect(ann.view('bob')).toMatchObject({ state: 'direct', kind: 'lan', latencyMs: 10 })
    expect(bob.view('ann')).toMatchObject({ state: 'direct', kind: 'lan', latencyMs: 10 })
    expect([ann, bob].map((node) => node.view(node === ann ? 'bob' : 'ann')?.why).sort()).toEqual([
      'on the same network',
      'on the same network; it dialed this machine',
    ])
  })

  test('a machine that nobody writes to is not looked for', () => {
    const network = createLinkNetwork()
    const [ann] = [network.add('ann'), network.add('bob')]
    network.run(600_000)
    expect(ann.effects).toEqual([])
    expect(ann.links.wakeAt).toBe(Number.POSITIVE_INFINITY)
  })

  test('addresses are dialed the nearest first, 250 ms apart, and the next at once when one fails', () => {
    const network = createLinkNetwork({ reaches: () => false })
    const ann = network.add('ann')
    network.add('bob', [
      { kind: 'mapped', host: 'm', port: 1 },
      { kind: 'public', host: 'p', port: 1 },
      lan('l'),
      { kind: 'vpn', host: 'v', port: 1 },
    ])
    network.demand('ann', 'bob')
    network.run(900)
    const dials = dialsOf(ann)
    expect(dials.map(({ candidate }) => candidate.kind)).toEqual(['vpn', 'lan', 'public', 'mapped'])
    const first = dials[0]?.at as number
    expect(dials.map(({ at }) => at - first)).toEqual([0, 250, 500, 750])
    expect(dials.map(({ timeoutMs }) => timeoutMs)).toEqual([1_500, 1_500, 4_000, 4_000])
  })

  test('at most 8 dials to one machine and 64 in all are under way', () => {
    const network = createLinkNetwork({ reaches: () => false })
    const ann = network.add('ann')
    const many = (name: string) =>
      Array.from({ length: 16 }, (_, i): Candidate => ({ kind: 'public', host: `${name}${i}`, port: 1 }))
    for (let i = 0; i < 20; i++) network.add(`bob${i}`, many(`h${i}-`))
    for (let i = 0; i < 20; i++) network.demand('ann', `bob${i}`)
    const open = new Map<number, string>()
    let most = 0
    for (let i = 0; i < 700; i++) {
      network.run(50)
      open.clear()
      for (const { at, dial, machine } of dialsOf(ann)) if (network.now() - at < 4_000) open.set(dial, machine)
      most = Math.max(most, open.size)
      for (const machine of open.values())
        expect([...open.values()].filter((one) => one === machine).length).toBeLessThanOrEqual(8)
    }
    expect(most).toBe(64)
    expect(dialsOf(ann).length).toBeGreaterThanOrEqual(20 * 16)
  })

  test('loopback is dialed by whoever shares an address with the other, and not by anybody else', () => {
    const network = createLinkNetwork()
    const candidates: Candidate[] = [{ kind: 'local', host: '127.0.0.1', port: 4001 }, lan('bob')]
    network.add('bob', candidates)
    const ann = network.add('ann')
    network.demand('ann', 'bob')
    network.run(500)
    expect(dialsOf(ann).map(({ candidate }) => candidate.kind)).toEqual(['lan'])
    const cat = network.add('cat')
    cat.tell({ type: 'candidates', candidates: [], hosts: ['bob'], canPunch: false, isNew: false })
    network.demand('cat', 'bob')
    network.run(500)
    expect(dialsOf(cat).map(({ candidate }) => candidate.kind)).toContain('local')
  })

  test('without an answer there is a reason, and the next look comes after a minute, then two, up to ten', () => {
    const network = createLinkNetwork({ reaches: () => false })
    const [ann] = two(network)
    network.run(10_000)
    expect(ann.view('bob')).toMatchObject({ state: 'relay', why: 'its one address did not answer: timed out' })
    const looks: number[] = []
    for (let i = 0; i < 4_000; i++) {
      const before = dialsOf(ann).length
      network.demand('ann', 'bob')
      network.run(1_000)
      if (dialsOf(ann).length > before) looks.push(network.now())
    }
    const gaps = looks.slice(1).map((at, i) => Math.round((at - (looks[i] as number)) / 60_000))
    expect(gaps.slice(0, 5)).toEqual([2, 4, 8, 11, 11])
  })

  test('the control plane is away: what is known of the other is enough', () => {
    const network = createLinkNetwork()
    const [ann, bob] = two(network)
    network.run(1_000)
    for (const node of [ann, bob]) node.isOnline = false
    for (const node of [ann, bob]) node.tell({ type: 'online', isOnline: false })
    network.breakLink(ann.using.get('bob') as string)
    network.run(6_000)
    expectOneLink(network, 'ann', 'bob')
  })

  test('a machine without a key for signals is left to the relay', () => {
    const network = createLinkNetwork()
    const ann = network.add('ann')
    ann.tell({ type: 'roster', machines: new Map([['old', { publicKey: 'x', canBeAsked: false, isOnline: true }]]) })
    network.demand('ann', 'old')
    network.run(5_000)
    expect(ann.view('old')).toMatchObject({ state: 'relay', why: 'its agent-relay is too old for direct links' })
    expect(ann.effects.some(({ effect }) => effect.type === 'signal')).toBe(false)
  })
})

describe('many dials', () => {
  test('whatever the delays and orders, two machines that dial each other end with one and the same link, and keep it', () => {
    const addresses = fc.record({ ann: fc.integer({ min: 1, max: 6 }), bob: fc.integer({ min: 1, max: 6 }) })
    const kinds = fc.array(fc.constantFrom<Candidate['kind'][]>('local', 'vpn', 'lan', 'public', 'mapped'), {
      minLength: 6,
      maxLength: 6,
    })
    fc.assert(
      fc.property(
        addresses,
        kinds,
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 40, maxLength: 40 }),
        fc.integer({ min: 1, max: 400 }),
        fc.boolean(),
        (counts, kind, dice, maxMs, isMutual) => {
          let turn = 0
          const random = () => Math.min(0.999, dice[turn++ % dice.length] as number)
          const network = createLinkNetwork({ random, delayMs: () => 1 + random() * maxMs })
          const hosts = (name: string, count: number) =>
            Array.from(
              { length: count },
              (_, i): Candidate => ({ kind: kind[i] as Candidate['kind'], host: name, port: 4000 + i }),
            )
          const ann = network.add('ann', hosts('ann', counts.ann))
          const bob = network.add('bob', hosts('bob', counts.bob))
          network.demand('ann', 'bob')
          if (isMutual) network.demand('bob', 'ann')
          network.run(30_000)
          const link = expectOneLink(network, 'ann', 'bob')
          // On the way there neither end was ever without one.
          for (const { effects } of [ann, bob])
            expect(effects.some(({ effect }) => effect.type === 'use' && effect.link === null)).toBe(false)
          const before = [ann, bob].map(({ effects }) => effects.filter(({ effect }) => effect.type === 'use').length)
          network.run(20_000)
          expect(expectOneLink(network, 'ann', 'bob')).toBe(link)
          expect([ann, bob].map(({ effects }) => effects.filter(({ effect }) => effect.type === 'use').length)).toEqual(
            before,
          )
        },
      ),
      { numRuns: 300 },
    )
  })

  test('were both to decide, an end could lose every link that it had', () => {
    let lost = 0
    for (let seed = 1; seed <= 60; seed++) {
      let last = seed
      const random = () => {
        last = (last * 1_103_515_245 + 12_345) % 2_147_483_648
        return last / 2_147_483_648
      }
      const network = createLinkNetwork({ random, delayMs: () => 1 + random() * 120, isDisputed: true })
      const ways = (name: string) => [lan(name), lan(name, 4_001), lan(name, 4_002)]
      const nodes = [network.add('ann', ways('ann')), network.add('bob', ways('bob'))]
      network.demand('ann', 'bob')
      network.demand('bob', 'ann')
      network.run(3_000)
      if (nodes.some(({ effects }) => effects.some(({ effect }) => effect.type === 'use' && effect.link === null)))
        lost++
    }
    expect(lost).toBeGreaterThan(0)
  })

  test('1,000 pairs of machines dial each other at once: one link each', { timeout: 60_000 }, () => {
    let seed = 7
    const random = () => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
      return seed / 2_147_483_648
    }
    // 45 machines are 990 pairs, each dialed from both ends.
    const network = createLinkNetwork({ random, delayMs: () => 1 + random() * 120 })
    const names = Array.from({ length: 46 }, (_, i) => `m${i}`)
    for (const name of names) network.add(name)
    for (const one of names) for (const other of names) if (one !== other) network.demand(one, other)
    network.run(25_000)
    let pairs = 0
    for (const one of names)
      for (const other of names)
        if (one < other) {
          expectOneLink(network, one, other)
          pairs++
        }
    expect(pairs).toBe(1_035)
  })

  test('of two links the one stays that the machine with the greater key dialed', () => {
    for (const names of [
      ['ann', 'bob'],
      ['ann', 'cat'],
      ['dan', 'bob'],
    ] as const) {
      const network = createLinkNetwork({ delayMs: () => 20 })
      const nodes = names.map((name) => network.add(name))
      // Both know the other's address, so both dial in the same moment.
      for (const node of nodes)
        for (const other of nodes)
          if (node !== other)
            node.tell({
              type: 'signal',
              machine: other.name,
              signal: {
                type: 'candidates',
                id: crypto.randomUUID(),
                bootId: other.bootId,
                candidates: other.candidates,
                wants: false,
              },
            })
      network.demand(names[0], names[1])
      network.demand(names[1], names[0])
      network.run(2_000)
      expectOneLink(network, names[0], names[1])
      const [greater] = [...nodes].sort((one, other) => (one.key < other.key ? 1 : -1)) as [Node]
      const other = nodes.find((node) => node !== greater) as Node
      expect(dialsOf(greater).length, names.join()).toBe(1)
      expect(dialsOf(other).length, names.join()).toBe(1)
      expect(other.view(greater.name)?.why).toBe('on the same network; it dialed this machine')
    }
  })
})

/** Messages go between ann and bob all the time. */
function runBusy(network: LinkNetwork, ms: number): void {
  for (let passed = 0; passed < ms; passed += 1_000) {
    network.demand('ann', 'bob')
    network.demand('bob', 'ann')
    network.run(Math.min(1_000, ms - passed))
  }
}

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

describe('machines behind routers', () => {
  const mayPunch = (node: Node) =>
    node.tell({ type: 'candidates', candidates: node.candidates, hosts: [node.name], canPunch: true, isNew: true })

  test('what cannot be dialed is met: both dial in the same moment', () => {
    const network = createLinkNetwork({ delayMs: () => 30, reaches: (_, { kind }) => kind === 'punched' })
    const [ann, bob] = [network.add('ann'), network.add('bob')]
    for (const node of [ann, bob]) mayPunch(node)
    network.demand('ann', 'bob')
    network.run(8_000)
    expectOneLink(network, 'ann', 'bob')
    expect(ann.view('bob')).toMatchObject({ state: 'direct', kind: 'punched' })
    const [one, other] = [ann, bob].map((node) => dialsOf(node).filter(({ candidate }) => candidate.kind === 'punched'))
    expect([one?.length, other?.length]).toEqual([1, 1])
    expect(Math.abs((one?.[0]?.at as number) - (other?.[0]?.at as number))).toBeLessThanOrEqual(31)
  })

  test('three tries, 5 s apart, then the relay with the reason', () => {
    const network = createLinkNetwork({ reaches: () => false })
    const nodes = [network.add('ann'), network.add('bob')]
    for (const node of nodes) mayPunch(node)
    network.demand('ann', 'bob')
    network.run(50_000)
    for (const node of nodes) {
      const punches = dialsOf(node).filter(({ candidate }) => candidate.kind === 'punched')
      expect(punches.length).toBe(PUNCHES)
      for (const [i, { at }] of punches.slice(1).entries())
        expect(at - (punches[i]?.at as number)).toBeGreaterThanOrEqual(5_000 - 20)
    }
    const leader = nodes.sort((one, other) => (one.key < other.key ? 1 : -1))[0] as Node
    const view = leader.links.views()[0]
    expect(view).toMatchObject({ state: 'relay', why: 'the routers between do not let the two meet' })
  })

  test('an address found out while the two are about to meet is dialed at once', () => {
    const network = createLinkNetwork({ reaches: (_, { kind }) => kind === 'public' })
    const nodes = [network.add('ann'), network.add('bob')]
    // The one that leads waits for what the other's router shows, which stays unsaid: nothing is between it and the world.
    const [server, home] = nodes.sort((one, other) => (one.key < other.key ? -1 : 1)) as [Node, Node]
    mayPunch(home)
    network.demand(home.name, server.name)
    network.demand(server.name, home.name)
    network.run(2_000)
    expect(home.view(server.name)).toMatchObject({ state: 'probing', why: 'trying to meet it through both routers' })
    const open: Candidate = { kind: 'public', host: server.name, port: 4001 }
    const hosts = [server.name]
    server.tell({ type: 'candidates', candidates: [...server.candidates, open], hosts, canPunch: true, isNew: false })
    network.run(500)
    expectOneLink(network, 'ann', 'bob')
    expect(home.view(server.name)).toMatchObject({ state: 'direct', kind: 'public' })
  })

  test('only one of the two may be met so: nobody tries', () => {
    const network = createLinkNetwork({ reaches: () => false })
    const nodes = [network.add('ann'), network.add('bob')]
    mayPunch(nodes[0] as Node)
    network.demand('ann', 'bob')
    network.run(50_000)
    for (const node of nodes) expect(dialsOf(node).some(({ candidate }) => candidate.kind === 'punched')).toBe(false)
  })
})

describe('what others may do', () => {
  test('a signal that is played again is not heard twice', () => {
    const network = createLinkNetwork()
    const [ann, bob] = [network.add('ann'), network.add('bob')]
    const signal = {
      type: 'candidates' as const,
      id: crypto.randomUUID(),
      bootId: bob.bootId,
      candidates: bob.candidates,
      wants: true,
    }
    ann.tell({ type: 'signal', machine: 'bob', signal })
    const first = ann.effects.length
    expect(first).toBeGreaterThan(0)
    ann.tell({ type: 'signal', machine: 'bob', signal })
    expect(ann.effects.length).toBe(first)
  })

  test('a machine that asks without end is answered and dialed no more than an honest one', () => {
    const network = createLinkNetwork({ reaches: () => false })
    const [ann, bob] = [network.add('ann'), network.add('bob')]
    for (let i = 0; i < 2_000; i++) {
      const candidates = Array.from(
        { length: 16 },
        (_, n): Candidate => ({ kind: 'lan', host: `10.0.${i % 256}.${n}`, port: 1 }),
      )
      ann.tell({
        type: 'signal',
        machine: 'bob',
        signal: { type: 'candidates', id: crypto.randomUUID(), bootId: bob.bootId, candidates, wants: true },
      })
      network.run(5)
    }
    expect(ann.effects.filter(({ effect }) => effect.type === 'signal').length).toBeLessThanOrEqual(12)
    expect(dialsOf(ann).length).toBeLessThanOrEqual(150)
  })

  test('a signal of another run does not end a link that answers', () => {
    const network = createLinkNetwork()
    const [ann, bob] = two(network)
    network.run(10_000)
    const link = ann.using.get('bob')
    ann.tell({
      type: 'signal',
      machine: 'bob',
      signal: {
        type: 'candidates',
        id: crypto.randomUUID(),
        bootId: crypto.randomUUID(),
        candidates: bob.candidates,
        wants: false,
      },
    })
    network.run(5_000)
    expect(expectOneLink(network, 'ann', 'bob')).toBe(link)
  })

  test('a link that is doubted without another one beside it is judged by its silence, and nobody is kept awake', () => {
    const network = createLinkNetwork()
    const [ann, bob] = two(network)
    network.run(10_000)
    network.cut('ann', 'bob')
    const bootId = crypto.randomUUID()
    const signal = { type: 'candidates' as const, bootId, candidates: bob.candidates, wants: false }
    ann.tell({ type: 'signal', machine: 'bob', signal: { ...signal, id: crypto.randomUUID() } })
    network.run(3_000)
    expect(ann.view('bob')?.state).toBe('suspect')
    network.run(5_000)
    expect(ann.using.get('bob')).toBe(null)
  })

  test('pongs that nobody asked for prove nothing', () => {
    const network = createLinkNetwork()
    const [ann] = two(network)
    network.run(1_000)
    const link = ann.using.get('bob') as string
    ann.tell({ type: 'pong', link, n: 9_999 }, { type: 'pong', link, n: 0 }, { type: 'pong', link: 'none', n: 1 })
    network.cut('ann', 'bob')
    for (let i = 0; i < 10; i++) {
      network.run(1_000)
      ann.tell({ type: 'pong', link, n: 9_999 })
    }
    expect(ann.using.get('bob')).toBe(null)
  })
})

describe('whatever happens', () => {
  const chaos = fc.array(
    fc.record({
      what: fc.constantFrom('cut', 'heal', 'break', 'restart', 'kill', 'move', 'offline', 'online', 'sleep', 'talk'),
      who: fc.boolean(),
      afterMs: fc.integer({ min: 1, max: 20_000 }),
    }),
    { maxLength: 25 },
  )
  test('once all is well again and messages go, the two have exactly one link and both use it', () => {
    fc.assert(
      fc.property(chaos, fc.integer({ min: 1, max: 2_000_000_000 }), (story, start) => {
        let seed = start
        const random = () => {
          seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
          return seed / 2_147_483_648
        }
        const network = createLinkNetwork({ random, delayMs: () => 1 + random() * 150 })
        const [ann, bob] = two(network)
        for (const { what, who, afterMs } of story) {
          const node = who ? ann : bob
          if (what === 'cut') network.cut('ann', 'bob')
          else if (what === 'heal') network.heal('ann', 'bob')
          else if (what === 'break') for (const link of network.open('ann', 'bob')) network.breakLink(link)
          else if (what === 'restart' || what === 'kill') network.restart(node, { isKilled: what === 'kill' })
          else if (what === 'sleep') node.tell({ type: 'woke' })
          else if (what === 'talk') network.demand(node.name, who ? 'bob' : 'ann')
          else if (what === 'move')
            node.tell({
              type: 'candidates',
              candidates: node.candidates,
              hosts: [node.name],
              canPunch: random() < 0.5,
              isNew: true,
            })
          else {
            node.isOnline = what === 'online'
            node.tell({ type: 'online', isOnline: node.isOnline })
          }
          network.run(afterMs)
        }
        network.heal('ann', 'bob')
        for (const node of [ann, bob]) {
          node.isOnline = true
          node.tell({ type: 'online', isOnline: true })
        }
        // A pause of five minutes, and the longest time between two looks.
        runBusy(network, PAUSE_MS + 700_000)
        expectOneLink(network, 'ann', 'bob')
        expect(ann.view('bob')?.state).toBe('direct')
      }),
      { numRuns: 150 },
    )
  }, 60_000)
})
