/** Randomness of a run: everything follows from the seed, and every part of the world draws from a source of its own. */

export type Random = {
  /** 0 ≤ x < 1. */
  unit(): number
  /** A whole number, 0 ≤ x < `limit`. */
  below(limit: number): number
  /** A whole number, both ends included. */
  between(least: number, most: number): number
  chance(probability: number): boolean
  pick<T>(of: readonly T[]): T
  /** One of `of` by its weight. */
  weighted<T>(of: readonly (readonly [weight: number, value: T])[]): T
}

/** `label` keeps the sources of one seed apart, so that what one part draws changes nothing for the others. */
export function createRandom(seed: number, label: string): Random {
  let a = hash(`${seed} ${label}`)
  function unit(): number {
    a = (a + 0x6d2b79f5) >>> 0
    let t = Math.imul(a ^ (a >>> 15), a | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  const below = (limit: number): number => Math.floor(unit() * limit)
  return {
    unit,
    below,
    between: (least, most) => least + below(most - least + 1),
    chance: (probability) => unit() < probability,
    pick: (of) => of[below(of.length)] as (typeof of)[number],
    weighted(of) {
      let left = unit() * of.reduce((sum, [weight]) => sum + weight, 0)
      for (const [weight, value] of of) {
        left -= weight
        if (left < 0) return value
      }
      return (of.at(-1) as (typeof of)[number])[1]
    },
  }
}

/** FNV-1a. */
function hash(text: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  return h >>> 0
}
