import { describe, expect, it } from 'vitest'
import { failureSentence, readReceipt } from './receipt.ts'

const message = { state: 'queued', reason: null, path: null, tookMs: null } as const

describe('readReceipt', () => {
  it('fills as many marks as the message came far, green only when seen, amber while nothing moves', () => {
    const read = (state: 'queued' | 'stored' | 'accepted' | 'injected' | 'seen') => {
      const { filled, tone } = readReceipt({ ...message, state })
      return [filled, tone]
    }
    expect(read('queued')).toEqual([0, 'warn'])
    expect(read('stored')).toEqual([1, 'warn'])
    expect(read('accepted')).toEqual([2, 'plain'])
    expect(read('injected')).toEqual([3, 'plain'])
    expect(read('seen')).toEqual([4, 'ok'])
  })

  it('puts the cross where a failed message stopped', () => {
    expect(readReceipt({ ...message, state: 'failed', reason: 'POLICY_REFUSED' })).toMatchObject({
      word: 'refused',
      crossAt: 0,
    })
    expect(readReceipt({ ...message, state: 'failed', reason: 'EXPIRED', path: 'mailbox' })).toMatchObject({
      word: 'expired',
      crossAt: 1,
      filled: 1,
    })
    expect(readReceipt({ ...message, state: 'failed', reason: 'its time to live ended: queued 2 h ago' }).word).toBe(
      'expired',
    )
    expect(readReceipt({ ...message, state: 'failed', reason: 'agent gone', path: 'relay', tookMs: 3 })).toMatchObject({
      word: 'failed',
      crossAt: 2,
      tone: 'fail',
    })
  })
})

describe('failureSentence', () => {
  it('explains known codes, names unknown ones and passes sentences through', () => {
    expect(failureSentence('EXPIRED')).toContain('time to live')
    expect(failureSentence('DISK_FULL')).toBe('Refused with DISK_FULL.')
    expect(failureSentence('Utils is busy')).toBe('Utils is busy.')
    expect(failureSentence('its time to live ended: queued 2 h ago.')).toBe('Its time to live ended: queued 2 h ago.')
    expect(failureSentence(null)).toBe('The sender gave no reason.')
  })
})
