import type { Candidate } from '@agent-relay/protocol'
import { describe, expect, test } from 'vitest'
import { createLinkNetwork, type Node } from '../../../test/support/link-network.ts'
import { dialsOf, expectOneLink, two } from '../../../test/support/link-tests.ts'
import { PUNCHES } from './limits.ts'

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
