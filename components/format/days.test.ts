import { describe, expect, it } from 'vitest'
import { dayKey, dayName, whenShort } from './days.ts'

describe('days', () => {
  it('names days by how near they are', () => {
    const now = Date.UTC(2026, 10, 24, 12)
    const day = 86_400_000
    expect(dayKey(now, 'utc')).toBe('2026-11-24')
    expect(dayName(now - 11 * 3_600_000, now, 'utc')).toBe('Today')
    expect(dayName(now - 13 * 3_600_000, now, 'utc')).toBe('Yesterday')
    expect(dayName(now - 2 * day, now, 'utc')).toBe('Sunday 22 November')
    expect(dayName(Date.UTC(2025, 11, 31), now, 'utc')).toBe('Wednesday 31 December 2025')
    expect(whenShort(now - 3_600_000, now, 'utc')).toBe('11:00')
    expect(whenShort(now - 2 * day, now, 'utc')).toBe('Sun')
    expect(whenShort(now - 20 * day, now, 'utc')).toBe('4 Nov')
  })
})
