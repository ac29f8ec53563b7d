/** What tests of the link manager do again and again. */
import { expect } from 'vitest'
import type { LinkNetwork, Node } from './link-network.ts'

/** Two machines that messages go between now. */
export function two(network: LinkNetwork): [Node, Node] {
  const nodes: [Node, Node] = [network.add('ann'), network.add('bob')]
  network.demand('ann', 'bob')
  return nodes
}

/** Both ends use the same link, and no other is open. */
export function expectOneLink(network: LinkNetwork, one: string, other: string): string {
  const [here, there] = [network.node(one).using.get(other), network.node(other).using.get(one)]
  expect(here).toEqual(expect.any(String))
  expect(there).toBe(here)
  expect(network.open(one, other)).toEqual([here])
  expect(network.open(other, one)).toEqual([here])
  return here as string
}

export const dialsOf = (node: Node) =>
  node.effects.flatMap(({ at, effect }) => (effect.type === 'dial' ? [{ at, ...effect }] : []))

/** Messages go between ann and bob all the time. */
export function runBusy(network: LinkNetwork, ms: number): void {
  for (let passed = 0; passed < ms; passed += 1_000) {
    network.demand('ann', 'bob')
    network.demand('bob', 'ann')
    network.run(Math.min(1_000, ms - passed))
  }
}
