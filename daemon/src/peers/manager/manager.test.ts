import type { Candidate } from '@agent-relay/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createLinkNetwork, type Node } from '../../../test/support/link-network.ts'
import { dialsOf, expectOneLink, runBusy, two } from '../../../test/support/link-tests.ts'
import { PAUSE_MS } from './limits.ts'

const lan = (host: string, port = 4000): Candidate => ({ kind: 'lan', host, port })

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
    // Each pair is dialed from both ends.
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
