import { expect, test } from 'vitest'
import { bundle } from './bundle.ts'
import { createCrew } from './crew.ts'
import { VARIANTS } from './variants.ts'

/** Every mistake is found within the seeds that `npm test` plays for the shipped code. */
const SEEDS = 2_000

test.for(VARIANTS)('the simulator finds $name: $mistake', { timeout: 120_000 }, async (variant) => {
  const crew = createCrew(await bundle(variant), 1)
  try {
    const { found } = await crew.play({ from: 0, count: SEEDS })
    expect(found.length, `${variant.name} passes ${SEEDS} seeds`).toBe(1)
    // A rule of the oracle, not a crash of the world.
    expect(found[0]?.failure.rule).not.toBe('defect')
    console.log(`${variant.name}: seed ${found[0]?.seed}, ${found[0]?.failure.text}`)
  } finally {
    await crew.end()
  }
})
