import { describe, expect, it } from 'vitest'
import { age, ago, bytes, clock, duration, plural, shortId, system } from './format.ts'

describe('format', () => {
  it('keeps at most three digits that matter and puts the unit after a space', () => {
    const cases: [number, string][] = [
      [0, '< 0.1 ms'],
      [0.04, '< 0.1 ms'],
      [0.4, '0.4 ms'],
      [0.96, '1 ms'],
      [2.94, '2.9 ms'],
      [3, '3 ms'],
      [34.4, '34 ms'],
      [999.4, '999 ms'],
      [999.9, '1 s'],
      [1440, '1.44 s'],
      [12_340, '12.3 s'],
      [125_000, '2 min 5 s'],
      [3 * 3_600_000 + 4 * 60_000, '3 h 4 min'],
      [51 * 3_600_000, '2 d 3 h'],
    ]
    for (const [ms, text] of cases) expect(duration(ms)).toBe(text)
  })

  it('says how long ago in one unit', () => {
    const now = Date.UTC(2026, 10, 24, 12)
    expect(ago(now + 2_000, now)).toBe('now')
    expect(ago(now - 12_400, now)).toBe('12 s ago')
    expect(ago(now - 3 * 60_000, now)).toBe('3 min ago')
    expect(ago(now - 26 * 3_600_000, now)).toBe('a day ago')
    expect(ago(now - 20 * 86_400_000, now)).toBe('4 Nov')
    expect(age(now - 22 * 60_000 - 5_000, now)).toBe('22 min')
  })

  it('names systems as people do, also those that a daemon reports by their short name', () => {
    expect(system('linux')).toBe('Linux')
    expect(system('darwin')).toBe('macOS')
    expect(system('win32')).toBe('Windows')
    expect(system('linux arm64')).toBe('Linux arm64')
    expect(system('macOS')).toBe('macOS')
    expect(system('freebsd')).toBe('freebsd')
    expect(system('')).toBe('unknown system')
  })

  it('cuts an id in the middle, keeping both ends', () => {
    expect(shortId('01a2089b-336e-7c1e-9b02-4fd39f3a1c7e')).toBe('01a2089b-336e…9f3a1c7e')
    expect(shortId('short')).toBe('short')
  })

  it('writes clocks, sizes and plurals', () => {
    expect(clock(Date.UTC(2026, 0, 1, 4, 5, 6, 7), 'utc', true)).toBe('04:05:06.007')
    expect(clock(Date.UTC(2026, 0, 1, 4, 5, 6, 7), 'utc', false)).toBe('04:05:06')
    expect(bytes(412)).toBe('412 B')
    expect(bytes(262_144)).toBe('256 KiB')
    expect(plural(1, 'machine')).toBe('1 machine')
    expect(plural(4831, 'message')).toBe('4,831 messages')
  })
})
