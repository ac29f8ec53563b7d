import { describe, expect, it } from 'vitest'
import { troubleOf } from './trouble.ts'
import { titleOf, whyOf } from './way.ts'

const message = {
  state: 'accepted',
  reason: null,
  path: 'relay',
  from: 'Lead',
  fromMachine: 'alice-mbp',
  to: 'API',
  toMachine: 'bob-mbp',
} as const

describe('the way of a message', () => {
  it('says why it failed and that its sender was told', () => {
    const failed = { ...message, state: 'failed', reason: 'EXPIRED' } as const
    expect(titleOf(failed)).toBe('Why it failed')
    expect(whyOf(failed)).toMatch(/^Expired: .*\. Lead was told\.$/)
    expect(troubleOf(failed)).toMatch(/^Expired/)
    expect(whyOf({ ...failed, from: '@alice' })).toMatch(/@alice sees it in the inbox\.$/)
  })

  it('promises nobody was told where nobody could be', () => {
    expect(whyOf({ ...message, state: 'failed', reason: 'KEY_REVOKED' })).not.toContain('was told')
  })

  it('says for whom a message waits, and where it is meanwhile', () => {
    const stored = { ...message, state: 'stored', path: 'mailbox' } as const
    expect(titleOf(stored)).toBe('What it waits for')
    expect(whyOf(stored)).toMatch(/^bob-mbp is away: .* for API/)
    expect(troubleOf(stored)).toBe('waits for bob-mbp')
    const queued = { ...message, state: 'queued', path: null } as const
    expect(whyOf(queued)).toContain('disk of alice-mbp')
    expect(whyOf({ ...queued, to: '#ops' })).toContain('a path to the control plane')
  })

  it('knows people and channels from agents', () => {
    expect(whyOf({ ...message, to: '@bob' })).toBe('The control plane put it into the inbox of @bob.')
    expect(whyOf({ ...message, to: '#ops' })).toContain('history of #ops')
    expect(whyOf({ ...message, from: '@alice', path: 'mailbox' })).toMatch(/^@alice wrote it in the dashboard/)
    expect(troubleOf(message)).toBeNull()
  })
})
