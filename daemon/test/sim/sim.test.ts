import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundle, variantNamed } from './bundle.ts'
import { type Crew, createCrew } from './crew.ts'
import { explain } from './explain.ts'
import { HISTORY } from './history.ts'

const SEEDS = 2_000

let crew: Crew
beforeAll(async () => {
  crew = createCrew(await bundle(), 2)
})
afterAll(() => crew.end())

test('whatever happens to machines, disks, clocks, links and the control plane, every queued message arrives once and in order, or fails once', {
  timeout: 900_000,
}, async () => {
  const { seeds, messages, links, found } = await crew.play({ from: 0, count: SEEDS })
  for (const one of found) expect.fail(await explain(crew, one))
  expect(seeds).toBe(SEEDS)
  expect(messages).toBeGreaterThan(10 * SEEDS)
  expect(links).toBeGreaterThan(SEEDS)
})

test('the same seed is the same run', { timeout: 60_000 }, async () => {
  const [one, again] = [await crew.explain(7), await crew.explain(7)]
  expect(one.diary.length).toBeGreaterThan(50)
  expect(again.diary.map(withoutEpochs)).toEqual(one.diary.map(withoutEpochs))
})

/** The outbox epoch of a disk is the one thing that is random in truth, and nothing depends on what it is. */
const withoutEpochs = (line: string): string => line.replace(/(@m\d)\/[0-9a-f]{3} /g, '$1 ')

test.for(HISTORY)('it does not happen again that $was', { timeout: 60_000 }, async ({ schedule, variant }) => {
  expect(await crew.replay(schedule)).toBeUndefined()
  const mistaken = createCrew(await bundle(variantNamed(variant)), 1)
  try {
    expect(await mistaken.replay(schedule)).toBeDefined()
  } finally {
    await mistaken.end()
  }
})
