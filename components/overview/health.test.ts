import { describe, expect, it } from 'vitest'
import type { MachineRow, OverviewView } from '#lib/trpc/views.ts'
import { readHealth } from './health.ts'

const now = Date.UTC(2026, 10, 24, 12)
const machine = (name: string, state: MachineRow['state'], lastSeenAt: number | null = now): MachineRow => ({
  id: name,
  name,
  person: 'alice',
  platform: 'linux',
  version: '0.1.0',
  address: null,
  keyPrefix: 'ar_live_abc',
  state,
  latencyMs: null,
  agents: [],
  waiting: 0,
  createdAt: 0,
  lastSeenAt,
  canRevoke: true,
})
const figures: OverviewView['figures'] = {
  delivered24h: 10,
  p50Ms: 4,
  p95Ms: 5,
  p99Ms: 6,
  localShare: 0.5,
  relayShare: 0.5,
  waiting: 0,
  oldestWaitingAt: null,
  failed24h: 0,
  deliveredByHour: Array(24).fill(0),
}

describe('readHealth', () => {
  it('says so when all is well, and counts only machines that are linked', () => {
    const health = readHealth(
      {
        machines: [machine('a', 'online'), machine('b', 'online'), machine('c', 'revoked')],
        figures,
        waitingByAgent: [],
      },
      now,
    )
    expect(health).toEqual({
      tone: 'ok',
      say: 'All 2 machines are online',
      why: 'Nothing waits, nothing failed in the last 24 h.',
    })
  })

  it('names the machine that makes messages wait, and for how long', () => {
    const health = readHealth(
      {
        machines: [machine('a', 'online'), machine('build-01', 'offline', now - 3 * 3_600_000)],
        figures: { ...figures, waiting: 14 },
        waitingByAgent: [{ agent: 'Mobile', machine: 'build-01', count: 14, oldestAt: now - 51 * 60_000 }],
      },
      now,
    )
    expect(health.tone).toBe('warn')
    expect(health.say).toBe('Degraded: 14 messages wait')
    expect(health.why).toBe('build-01 is offline for 3 h; the oldest, for Mobile, waits 51 min.')
  })

  it('is grey, not red, when every machine is away', () => {
    const health = readHealth({ machines: [machine('a', 'offline')], figures, waitingByAgent: [] }, now)
    expect(health).toMatchObject({ tone: 'off', say: 'a is offline' })
  })

  it('is red when more failed than arrived', () => {
    const health = readHealth(
      { machines: [machine('a', 'online')], figures: { ...figures, failed24h: 11 }, waitingByAgent: [] },
      now,
    )
    expect(health.tone).toBe('fail')
    expect(health.why).toContain('11 failed')
  })
})
