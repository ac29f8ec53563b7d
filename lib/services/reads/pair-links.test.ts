import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { LinkEnd, LinkRow } from '#lib/trpc/views.ts'
import { type LinkMachine, pairLinks, type Said } from './pair-links.ts'

const machine = (name: string, facts: Partial<LinkMachine> = {}): LinkMachine => ({
  ...{ id: `id-${name}`, name, isOnline: true, latencyMs: 20, lastSeenAt: 900 },
  ...facts,
})
const [ann, bob] = [machine('ann'), machine('bob', { latencyMs: 30 })]
const end = (facts: Partial<LinkEnd> = {}): LinkEnd => ({
  ...{ state: 'direct', kind: 'lan', latencyMs: 3, why: 'it answered first', since: 100, updatedAt: 200 },
  ...facts,
})
const from = (name: string, to: string, facts: Partial<LinkEnd> = {}): Said => ({
  ...{ machineId: `id-${name}`, peerId: `id-${to}` },
  ...end(facts),
})
const relayed = { state: 'relay', kind: null, latencyMs: null, why: 'no address answered' } as const
const one = (machines: LinkMachine[], ...said: Said[]): LinkRow => {
  const rows = pairLinks(machines, said)
  expect(rows).toHaveLength(1)
  return rows[0] as LinkRow
}

test('both ends of a direct link are one row, by the newer of their words, since the later of both', () => {
  const row = one(
    [bob, ann],
    from('bob', 'ann', { since: 120, latencyMs: 4, updatedAt: 300, why: 'ann dialed' }),
    from('ann', 'bob'),
  )
  expect(row).toMatchObject({
    id: 'id-ann.id-bob',
    a: { name: 'ann' },
    b: { name: 'bob' },
    ...{ state: 'direct', kind: 'lan', latencyMs: 4, since: 120, isOneSided: false, why: 'ann dialed' },
  })
  expect(row.ends.map((said) => said?.latencyMs)).toEqual([3, 4])
})

test('ends that do not agree are shown as doubted, with the words of both', () => {
  expect(one([ann, bob], from('ann', 'bob'), from('bob', 'ann', { ...relayed, since: 150 }))).toMatchObject({
    ...{ state: 'suspect', kind: 'lan', latencyMs: 3, since: 150, isOneSided: true },
    why: 'ann says direct, bob says relay',
  })
})

describe('one end alone', () => {
  test('is believed, and it is said that it is alone', () => {
    expect(one([ann, bob], from('bob', 'ann'))).toMatchObject({
      ...{ state: 'direct', isOneSided: true, ends: [null, { state: 'direct' }] },
      why: 'it answered first; only bob says so, ann has not said how it is',
    })
  })

  test('is believed of a direct link to a machine that has lost the control plane', () => {
    const lost = machine('bob', { isOnline: false })
    expect(one([ann, lost], from('ann', 'bob'), from('bob', 'ann', relayed))).toMatchObject({
      ...{ state: 'direct', isOneSided: true },
      why: 'it answered first; only ann says so, bob is not connected to the control plane',
    })
  })

  test('is not believed of a relay to a machine that is not there, nor of anything once it has gone itself', () => {
    const lost = machine('bob', { isOnline: false })
    for (const said of [from('ann', 'bob', relayed), from('bob', 'ann')])
      expect(one([ann, lost], said)).toMatchObject({
        ...{ state: 'down', latencyMs: null, kind: null, since: 900, why: 'bob is offline' },
      })
    const both = [machine('ann', { isOnline: false, lastSeenAt: 500 }), lost]
    expect(one(both, from('ann', 'bob'), from('bob', 'ann'))).toMatchObject({
      ...{ state: 'down', since: 500, why: 'ann and bob are offline' },
    })
  })
})

test('what the relay takes is the sum of both ways to the control plane, and said to be an estimate', () => {
  const by = (a: LinkMachine, b: LinkMachine) => one([a, b], from('ann', 'bob', relayed), from('bob', 'ann', relayed))
  expect(by(ann, bob)).toMatchObject({ state: 'relay', latencyMs: 50, isEstimate: true })
  expect(by(ann, machine('bob', { latencyMs: null }))).toMatchObject({ latencyMs: null, isEstimate: false })
  expect(one([ann, bob], from('ann', 'bob', { ...relayed, latencyMs: 61 }))).toMatchObject({
    ...{ latencyMs: 61, isEstimate: false },
  })
})

test('one end that looks for a direct link, or doubts one, speaks for both', () => {
  const [looking, doubting] = (['probing', 'suspect'] as const).map((state) =>
    one([ann, bob], from('ann', 'bob', relayed), from('bob', 'ann', { ...relayed, state, since: 170 })),
  )
  expect([looking?.state, doubting?.state]).toEqual(['probing', 'suspect'])
  expect([looking?.since, looking?.latencyMs]).toEqual([170, 50])
})

test('links with machines that are not in the list, or with oneself, are none', () => {
  expect(pairLinks([ann], [from('ann', 'bob'), from('ann', 'ann'), from('eve', 'ann')])).toEqual([])
})

test('whatever is said in whatever order, every pair is one row, and no row claims what nobody who is there says', () => {
  const names = ['ann', 'bob', 'carol', 'dan']
  const said = fc.uniqueArray(
    fc.record({
      machine: fc.constantFrom(...names),
      peer: fc.constantFrom(...names, 'gone'),
      state: fc.constantFrom('relay', 'probing', 'direct', 'suspect'),
      updatedAt: fc.nat(1000),
    }),
    { selector: ({ machine, peer }) => `${machine} ${peer}` },
  )
  fc.assert(
    fc.property(said, fc.tuple(...names.map(() => fc.boolean())), (all, online) => {
      const machines = names.map((name, i) => machine(name, { isOnline: online[i] === true }))
      const spoken = all.map(({ machine: name, peer, state, updatedAt }) => from(name, peer, { state, updatedAt }))
      const rows = pairLinks(machines, spoken)
      expect(pairLinks([...machines].reverse(), [...spoken].reverse())).toEqual(rows)
      expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length)
      for (const { a, b, state, ends } of rows) {
        expect(a.name < b.name).toBe(true)
        const isThere = [a, b].map(({ name }) => online[names.indexOf(name)] === true)
        const live = ends.filter((_, i) => isThere[i]).flatMap((said) => said?.state ?? [])
        if (state === 'direct') expect(live).toContain('direct')
        if (live.length === 2 && live.includes('direct') && !live.every((one) => one === 'direct'))
          expect(state).toBe('suspect')
        if (!isThere.includes(true)) expect(state).toBe('down')
      }
    }),
  )
})
