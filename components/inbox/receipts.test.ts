import { describe, expect, it } from 'vitest'
import { type Receipts, summaryOf } from './receipts.ts'

const receipt = (to: string, state: Receipts[number]['state']) => ({ to, state, reason: null })

describe('summaryOf', () => {
  it('speaks for all by whoever is furthest behind, and counts who has it', () => {
    const of = summaryOf([receipt('API', 'seen'), receipt('DB', 'stored'), receipt('Lead', 'injected')])
    expect(of).toMatchObject({ least: { to: 'DB' }, reached: 2, failed: [] })
  })

  it('never hides a failure behind a success', () => {
    const of = summaryOf([receipt('API', 'queued'), receipt('DB', 'failed'), receipt('Lead', 'seen')])
    expect(of?.least.to).toBe('DB')
    expect(of?.failed.map(({ to }) => to)).toEqual(['DB'])
  })

  it('has nothing to say without a recipient', () => {
    expect(summaryOf([])).toBeNull()
  })
})
