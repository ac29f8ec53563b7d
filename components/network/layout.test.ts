import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { LinkRow, MachineRow } from '#lib/trpc/views.ts'
import { LABEL_HEIGHT, overlaps, pointOn, RING } from './curves.ts'
import { heightOf, labelOf, layOut } from './layout.ts'
import { type Box, MAX_DRAWN, type Placement, place } from './place.ts'

const idOf = (n: number): string => `0199c0de-0000-7000-8000-${String(n).padStart(12, '0')}`
const machine = (n: number, agents = n % 5): MachineRow => ({
  ...{ id: idOf(n), name: `machine-${n}`, person: 'olga', platform: 'linux', version: '0.1.0', address: null },
  ...{ keyPrefix: '', state: 'online', latencyMs: 20, waiting: 0, createdAt: n, lastSeenAt: n, canRevoke: false },
  agents: Array.from({ length: agents }, (_, i) => ({ name: `A${i}`, status: 'online', client: null, project: null })),
})
const machines = (count: number): MachineRow[] => Array.from({ length: count }, (_, n) => machine(n))
const link = (a: number, b: number, facts: Partial<LinkRow> = {}): LinkRow => ({
  ...{ id: `${idOf(a)}.${idOf(b)}`, a: { id: idOf(a), name: `${a}` }, b: { id: idOf(b), name: `${b}` } },
  ...{ state: 'direct', kind: 'lan', latencyMs: 2.9, isEstimate: false, since: 0, isOneSided: false, why: '' },
  ends: [null, null],
  ...facts,
})
const allPairs = (count: number): LinkRow[] =>
  machines(count).flatMap((_, a) => Array.from({ length: count - a - 1 }, (_, n) => link(a, a + n + 1)))

const isApart = (boxes: Box[], gap: number): boolean =>
  boxes.every((box, i) => boxes.slice(i + 1).every((other) => !overlaps(box, other, gap)))

describe.each(Array.from({ length: MAX_DRAWN }, (_, n) => n + 1))('%i machines', (count) => {
  const layout = layOut({ machines: machines(count), links: [] })

  test('stand apart from each other and from the control plane, with room for a line', () => {
    expect(layout.machines.size).toBe(count)
    expect(isApart([layout.hub, ...layout.machines.values()], 40)).toBe(true)
  })

  test('all hang on the control plane', () => {
    expect(new Set(layout.spokes.map((spoke) => spoke.machine)).size).toBe(count)
  })
})

test('is the same for the same machines, in whatever order they come', () => {
  const all = machines(9)
  const links = allPairs(9)
  const layout = layOut({ machines: all, links })
  expect(layOut({ machines: [...all].reverse(), links })).toEqual({ ...layout, placement: expect.anything() })
  expect(layOut({ machines: [...all].reverse(), links }).placement.cells).toEqual(layout.placement.cells)
})

test('nobody moves while a machine comes or goes, as long as the grid keeps its size', () => {
  let placement: Placement | undefined
  const at = (ids: number[]) => {
    const layout = layOut({ machines: ids.map((n) => machine(n, 2)), links: [] }, placement)
    placement = layout.placement
    return layout.machines
  }
  const seven = at([1, 2, 3, 4, 5, 6, 7])
  const without = at([1, 2, 4, 5, 6, 7])
  for (const [id, box] of without) expect(box).toEqual(seven.get(id))
  // Who comes takes the place that is free; nobody else moves for it.
  const again = at([1, 2, 4, 5, 6, 7, 8])
  for (const [id, box] of without) expect(again.get(id)).toEqual(box)
  expect(again.get(idOf(8))).toEqual(seven.get(idOf(3)))
  const nine = at([1, 2, 4, 5, 6, 7, 8, 9, 10])
  for (const [id, box] of again) expect(nine.get(id)).toEqual(box)
})

test('whoever comes and goes, every machine has one place of its own, and the grid is never more than a step too large', () => {
  const sets = fc.array(fc.uniqueArray(fc.nat(80), { maxLength: MAX_DRAWN }), { minLength: 1, maxLength: 12 })
  fc.assert(
    fc.property(sets, (steps) => {
      let placement: Placement | undefined
      for (const ids of steps) {
        const before: Placement | undefined = placement
        placement = place(ids.map(idOf), before)
        expect(new Set(placement.cells.values()).size).toBe(ids.length)
        expect(placement.step - place(ids.map(idOf)).step).toBeLessThan(2)
        if (placement.step !== before?.step) continue
        for (const [id, cell] of placement.cells) if (before.cells.has(id)) expect(cell).toBe(before.cells.get(id))
      }
    }),
  )
})

test('more machines than can be told apart are not drawn, and no line leads to them', () => {
  const layout = layOut({ machines: machines(75), links: [link(0, 70), link(0, 1)] })
  expect(layout.machines.size).toBe(MAX_DRAWN)
  expect(layout.links.map(({ id }) => id)).toEqual([link(0, 1).id])
})

describe('lines', () => {
  // Of six in two columns the two longest diagonals have no way around.
  test.each([
    [2, 0],
    [3, 0],
    [4, 0],
    [6, 2],
  ])(
    'between all of %i machines pass behind no other one and not behind the control plane, but for %i',
    (count, most) => {
      const { links, machines: boxes, hub } = layOut({ machines: machines(count), links: allPairs(count) })
      expect(links).toHaveLength((count * (count - 1)) / 2)
      const hidden = links.filter(({ id, curve }) => {
        const others = [hub, ...[...boxes].filter(([machineId]) => !id.includes(machineId)).map(([, box]) => box)]
        return Array.from({ length: 63 }, (_, n) => pointOn(curve, (n + 1) / 64)).some(({ x, y }) =>
          others.some((box) => x > box.x && x < box.x + box.width && y > box.y && y < box.y + box.height),
        )
      })
      expect(hidden.length).toBeLessThanOrEqual(most)
    },
  )

  test('begin and end a ring before the borders of their machines', () => {
    const { links, machines: boxes } = layOut({ machines: machines(4), links: allPairs(4) })
    /** px from the box; 0 within it. */
    const farFrom = ({ x, y, width, height }: Box, at: { x: number; y: number }): number =>
      Math.max(x - at.x, at.x - x - width, y - at.y, at.y - y - height, 0)
    for (const { id, curve } of links) {
      const [a, b] = id.split('.').map((machineId) => boxes.get(machineId) as Box)
      expect(farFrom(a as Box, curve.from)).toBeCloseTo(RING)
      expect(farFrom(b as Box, curve.to)).toBeCloseTo(RING)
    }
  })

  test.each([2, 4, 6, 9])('of %i machines have labels that cover neither machines nor each other', (count) => {
    const all = allPairs(count)
    const { links, machines: boxes, hub } = layOut({ machines: machines(count), links: all })
    const labels = links.flatMap(({ label }) => (label ? [{ ...label, width: 80, height: LABEL_HEIGHT }] : []))
    if (count <= 4) expect(labels).toHaveLength(all.length)
    const drawn = labels.map(({ x, y, width, height }) => ({ x: x - width / 2, y: y - height / 2, width, height }))
    expect(isApart([hub, ...boxes.values(), ...drawn], 0)).toBe(true)
  })

  test('of very many have no labels, which would hide what is there', () => {
    const { links } = layOut({ machines: machines(12), links: allPairs(12) })
    expect(links.every(({ label }) => label === null)).toBe(true)
  })

  test('of sixty machines that all talk are drawn within a blink', () => {
    const startedAt = performance.now()
    layOut({ machines: machines(60), links: allPairs(60) })
    expect(performance.now() - startedAt).toBeLessThan(500)
  })
})

test('a node is as high as its list of agents', () => {
  expect([0, 1, 3, 4, 9].map((agents) => heightOf(machine(0, agents)))).toEqual([82, 82, 134, 160, 160])
})

test('a label says the latency first, and of what is not measured that it is about', () => {
  expect(labelOf(link(0, 1))).toEqual({ strong: '2.9 ms', quiet: 'lan' })
  expect(labelOf(link(0, 1, { state: 'relay', kind: null, latencyMs: 61, isEstimate: true }))).toEqual({
    strong: '≈ 61 ms',
    quiet: 'relay',
  })
  expect(labelOf(link(0, 1, { state: 'down', latencyMs: null }))).toEqual({ strong: '', quiet: 'down' })
})
