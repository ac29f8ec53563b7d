import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundle } from './bundle.ts'
import { type Crew, createCrew } from './crew.ts'
import { explain } from './explain.ts'

const SEEDS = 2_000

let crew: Crew
beforeAll(async () => {
  crew = createCrew(await bundle(), 2)
})
afterAll(() => crew.end())

test('whatever happens to machines, disks, clocks, network and control plane, every queued message arrives once and in order or fails once', async () => {
  const { seeds, messages, found } = await crew.play({ from: 0, count: SEEDS })
  for (const one of found) expect.fail(await explain(crew, one))
  expect(seeds).toBe(SEEDS)
  expect(messages).toBeGreaterThan(10 * SEEDS)
}, 300_000)
