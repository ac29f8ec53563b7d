/** Schedules by which the shipped code once failed, each as short as it could be made, and what it was. */
import type { Schedule } from './schedule.ts'

type Case = {
  was: string
  /** The known mistake that brings it back. */
  variant: string
  schedule: Schedule
}

const pair = {
  networks: ['home' as const],
  machines: [
    { skewMs: 0, network: 0, hasVpn: false },
    { skewMs: 0, network: 0, hasVpn: false },
  ],
  agents: [
    { name: 'Ada', machine: 0, project: null },
    { name: 'Bob', machine: 1, project: null },
  ],
}

export const HISTORY: readonly Case[] = [
  {
    was: 'a place in a stream that a crash forgot was sent was given to the next message',
    variant: 'forgotten-place',
    schedule: {
      seed: 0,
      ...pair,
      actions: [
        {
          at: 1_000,
          do: 'crash',
          machine: 0,
          point: 'after-commit',
          nth: 1,
          downMs: 5_000,
          jumpMs: 0,
          isSilent: false,
        },
        { at: 1_001, do: 'send', agent: 1, to: 'Ada', count: 1, sizeBytes: 10, ttlMs: 30_000 },
        { at: 1_200, do: 'crash', machine: 1, point: 'now', nth: 1, downMs: 40_000, jumpMs: 0, isSilent: false },
        { at: 60_000, do: 'send', agent: 1, to: 'Ada', count: 1, sizeBytes: 10 },
      ],
    },
  },
  {
    was: 'what the cloud had kept for a machine that was removed waited at its sender until its time to live ended',
    variant: 'removed-waited-for',
    schedule: {
      seed: 0,
      ...pair,
      actions: [
        { at: 1_000, do: 'stop', machine: 1, downMs: 600_000, jumpMs: 0 },
        { at: 30_000, do: 'crowd', forMs: 200 },
        { at: 30_100, do: 'send', agent: 0, to: 'Bob', count: 1, sizeBytes: 10 },
        { at: 30_300, do: 'send', agent: 0, to: 'Bob', count: 1, sizeBytes: 10 },
        { at: 30_450, do: 'revoke', machine: 1, isDefiant: false },
      ],
    },
  },
]
