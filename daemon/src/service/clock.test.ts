import { expect, test } from 'vitest'
import { systemClock } from './clock.ts'

test('the clock goes on with real time, asleep too, and not with what the wall clock is set to', () => {
  let wallMs = 1_000_000
  let uptimeMs = 50_000
  let passedMs = 7
  const clock = systemClock({ read: () => ({ wallMs, uptimeMs }), passed: () => passedMs })
  expect(clock.now()).toBe(1_000_000)
  passedMs += 3_000
  uptimeMs += 3_000
  wallMs += 365 * 86_400_000
  expect(clock.catchUp()).toBe(false)
  expect(clock.now()).toBe(1_003_000)
  // A night's sleep, in which the process's own clock stood still.
  uptimeMs += 8 * 3_600_000
  expect(clock.now()).toBe(1_003_000)
  expect(clock.catchUp()).toBe(true)
  expect(clock.now()).toBe(1_003_000 + 8 * 3_600_000)
  expect(clock.catchUp()).toBe(false)
  expect(clock.mark()).toEqual({ wallMs, uptimeMs, nowMs: clock.now() })
})

test("where the process's own clock runs on in sleep, nothing is counted twice", () => {
  let ms = 0
  const clock = systemClock({ read: () => ({ wallMs: 5_000, uptimeMs: 100 + ms }), passed: () => ms })
  ms += 8 * 3_600_000
  expect(clock.catchUp()).toBe(false)
  expect(clock.now()).toBe(5_000 + 8 * 3_600_000)
})

test('what comes in right after a sleep is timed after it, before anybody asked to catch up', () => {
  let wallMs = 1_000_000
  let uptimeMs = 50_000
  const clock = systemClock({ read: () => ({ wallMs, uptimeMs }), passed: () => 7 })
  wallMs += 8 * 3_600_000
  uptimeMs += 8 * 3_600_000
  expect(clock.now()).toBe(1_000_000 + 8 * 3_600_000)
  expect(clock.catchUp()).toBe(true)
  expect(clock.catchUp()).toBe(false)
})
