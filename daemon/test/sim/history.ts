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
    was: 'the mailbox kept what had come too early by the relay, once a direct link had filled the hole before it',
    variant: 'mailbox-forgotten',
    schedule: {
      seed: 753,
      networks: ['office', 'open', 'mapped'],
      machines: [
        { skewMs: 472_901, network: 2, hasVpn: false },
        { skewMs: 95_657, network: 0, hasVpn: false },
        { skewMs: 516_603, network: 0, hasVpn: true },
        { skewMs: 460_671, network: 2, hasVpn: true },
      ],
      agents: [
        { name: 'Ada', machine: 0, project: 'api' },
        { name: 'Bob', machine: 1, project: 'web' },
        { name: 'Cleo', machine: 2, project: 'web' },
        { name: 'Dan', machine: 3, project: null },
        { name: 'Eve', machine: 1, project: 'web' },
        { name: 'Finn', machine: 3, project: 'web' },
      ],
      actions: [
        { at: 1_028, do: 'cut', machine: 3, forMs: 79_209, isClean: true },
        { at: 51_169, do: 'send', agent: 4, to: 'Dan', count: 1, sizeBytes: 85, ttlMs: 21_813 },
        { at: 94_019, do: 'middle', machine: 1, other: 0, forMs: 18_941 },
      ],
    },
  },
  {
    was: 'what the cloud had kept for a machine that was removed waited at its sender until its time to live ended',
    variant: 'removed-waited-for',
    schedule: {
      seed: 992,
      networks: ['office', 'home'],
      machines: [
        { skewMs: 77_518, network: 1, hasVpn: true },
        { skewMs: 355_973, network: 1, hasVpn: false },
      ],
      agents: [
        { name: 'Ada', machine: 0, project: null },
        { name: 'Bob', machine: 1, project: null },
        { name: 'Cleo', machine: 1, project: 'web' },
        { name: 'Dan', machine: 0, project: 'web' },
      ],
      actions: [
        { at: 636_390, do: 'sleep', machine: 1, forMs: 563_472, clock: 'stands' },
        { at: 637_217, do: 'send', agent: 3, to: '*', count: 3, sizeBytes: 147 },
        { at: 646_620, do: 'revoke', machine: 1, isDefiant: false },
      ],
    },
  },
  {
    was: 'a link manager that doubted its only link woke itself without end',
    variant: 'endless-doubt',
    schedule: {
      seed: 625,
      networks: ['home', 'home', 'home'],
      machines: [
        { skewMs: 4_284, network: 0, hasVpn: false },
        { skewMs: 592_228, network: 2, hasVpn: false },
        { skewMs: -325_644, network: 1, hasVpn: false },
      ],
      agents: [
        { name: 'Ada', machine: 0, project: 'api' },
        { name: 'Bob', machine: 1, project: 'api' },
        { name: 'Cleo', machine: 2, project: 'web' },
        { name: 'Dan', machine: 0, project: 'api' },
      ],
      actions: [
        { at: 40_020, do: 'send', agent: 2, to: 'Dan', count: 1, sizeBytes: 137 },
        { at: 107_639, do: 'roam', machine: 2, network: 1 },
        { at: 107_760, do: 'send', agent: 2, to: 'Dan', count: 1, sizeBytes: 39_678 },
        {
          at: 109_033,
          do: 'crash',
          machine: 2,
          point: 'now',
          nth: 2,
          downMs: 9_611,
          jumpMs: 58_853,
          isSilent: true,
        },
      ],
    },
  },
]
