import type { NetworkInterfaceInfo } from 'node:os'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Interfaces } from './candidates.ts'
import { watchNetwork } from './network-watch.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const at = (address: string): Interfaces => ({
  eth0: [{ address, family: 'IPv4', internal: false } as NetworkInterfaceInfo],
})

test('every listener hears of other addresses within two seconds, and only then', () => {
  let now = at('192.168.1.10')
  const heard: string[] = []
  const watch = watchNetwork(() => now)
  watch.onChange(() => heard.push('one'))
  const off = watch.onChange(() => heard.push('other'))
  vi.advanceTimersByTime(10_000)
  expect(heard).toEqual([])
  now = at('10.0.0.7')
  vi.advanceTimersByTime(2_000)
  expect(heard).toEqual(['one', 'other'])
  expect(watch.interfaces()).toEqual(now)
  off()
  now = {}
  vi.advanceTimersByTime(2_000)
  expect(heard).toEqual(['one', 'other', 'one'])
  watch.stop()
  now = at('10.0.0.7')
  vi.advanceTimersByTime(10_000)
  expect(heard).toHaveLength(3)
})

test('a system that refuses to be asked for a moment changes nothing', () => {
  let isRefused = false
  let changes = 0
  const watch = watchNetwork(() => {
    if (isRefused) throw new Error('busy')
    return at('192.168.1.10')
  })
  watch.onChange(() => changes++)
  isRefused = true
  vi.advanceTimersByTime(6_000)
  isRefused = false
  vi.advanceTimersByTime(6_000)
  expect(changes).toBe(0)
  watch.stop()
})
