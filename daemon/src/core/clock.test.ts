import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type ClockMark, elapsedSince, shiftAtStart } from './clock.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const mark: ClockMark = { nowMs: 1_000 * DAY, wallMs: 1_000 * DAY, uptimeMs: 5 * DAY }
const later = (wallMs: number, uptimeMs: number) => ({ wallMs: mark.wallMs + wallMs, uptimeMs })

test.each([
  ['restarted after an hour', later(HOUR, mark.uptimeMs + HOUR), HOUR],
  ['asleep for a night in between', later(10 * HOUR, mark.uptimeMs + 10 * HOUR), 10 * HOUR],
  ['the clock was set a year ahead', later(365 * DAY, mark.uptimeMs + HOUR), HOUR],
  ['the clock was set a year back', later(-365 * DAY, mark.uptimeMs + HOUR), HOUR],
  ['off for a weekend', later(2 * DAY, 60_000), 2 * DAY],
  ['booted with a clock that stands in the past', later(-20 * 365 * DAY, 60_000), 60_000],
  ['booted twice, up longer than before: too little rather than too much', later(20 * DAY, 6 * DAY), DAY],
])('%s', (_, reading, passed) => {
  expect(elapsedSince(mark, reading)).toBe(passed)
})

test('what remains of a time to live is what remained at the mark less what passed, whatever the clocks were set to', () => {
  const ms = fc.integer({ min: -400 * DAY, max: 400 * DAY })
  fc.assert(
    fc.property(
      ms,
      fc.integer({ min: 0, max: 400 * DAY }),
      fc.integer({ min: 0, max: 30 * DAY }),
      (wall, uptime, ttl) => {
        const reading = later(wall, uptime)
        const expiresAt = mark.nowMs + ttl + shiftAtStart(mark, reading)
        const remaining = expiresAt - reading.wallMs
        expect(remaining).toBe(ttl - elapsedSince(mark, reading))
        expect(remaining).toBeLessThanOrEqual(ttl)
      },
    ),
  )
})
