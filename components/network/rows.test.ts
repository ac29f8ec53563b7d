import { expect, test } from 'vitest'
import type { LinkRow, MachineRow, NetworkView } from '#lib/trpc/views.ts'
import { plural } from '../format/format.ts'
import { factOf, linksByMachine, rowsOf, stateOf } from './rows.ts'

const machine = (name: string, facts: Partial<MachineRow> = {}): MachineRow => ({
  ...{ id: name, name, person: 'olga', platform: 'linux', version: '', address: null, keyPrefix: '', agents: [] },
  ...{ state: 'online', latencyMs: 20, waiting: 0, createdAt: 0, lastSeenAt: 900, canRevoke: false },
  ...facts,
})
const link = (a: string, b: string, state: LinkRow['state']): LinkRow => ({
  ...{ id: `${a}.${b}`, a: { id: a, name: a }, b: { id: b, name: b }, state, kind: null, latencyMs: 3 },
  ...{ isEstimate: false, since: 100, isOneSided: false, why: '', ends: [null, null] },
})
const network: NetworkView = {
  machines: [machine('ann'), machine('bob'), machine('eve', { state: 'offline' })],
  links: [link('ann', 'bob', 'direct'), link('ann', 'eve', 'down'), link('bob', 'eve', 'probing')],
}

test('the table has a row for every line of the picture: links, and each machine with the control plane', () => {
  expect(rowsOf(network).map(({ id, kind }) => [id, kind])).toEqual([
    ['ann.bob', 'link'],
    ['ann.eve', 'link'],
    ['bob.eve', 'link'],
    ...['ann', 'bob', 'eve'].map((id) => [id, 'control']),
  ])
  const [ann, eve] = [3, 5].map((n) => rowsOf(network)[n])
  expect(ann && stateOf(ann)).toMatchObject({ state: 'direct', latencyMs: 20, since: null })
  expect(eve && stateOf(eve)).toMatchObject({ state: 'down', latencyMs: null, since: 900 })
})

test('a sentence counts what there is, and nothing that there is not', () => {
  expect(factOf(network, plural)).toBe('2 of 3 machines online, 1 direct, 1 by relay, 1 down')
  expect(factOf({ machines: [machine('ann')], links: [] }, plural)).toBe('1 of 1 machine online')
})

test('links count for both of their machines', () => {
  expect([...linksByMachine(network.links)]).toEqual([
    ['ann', { direct: 1, relay: 0 }],
    ['bob', { direct: 1, relay: 1 }],
    ['eve', { direct: 0, relay: 1 }],
  ])
})
