/** Two machines by way of the control plane. */
import { between } from './between.ts'
import { RELAY_ONLY } from './cloud.ts'
import type { Figure, Settings } from './figures.ts'

export const relay = (settings: Settings): Promise<Figure[]> =>
  between(
    {
      name: 'relay',
      loads: [
        { inFlight: 1, count: 500 },
        { inFlight: 64, count: 5000 },
        { inFlight: 512, count: 10_000, goal: '≥ 1 × JetStream' },
      ],
      p50Goal: '≤ 5 ms',
      env: RELAY_ONLY,
      isDirect: false,
    },
    settings,
  )
