/** Two machines by a direct link: pinned TLS, sealed bodies; and the same with sealing switched off, in turn, to see what it costs. */
import { between, openPair } from './between.ts'
import { compared, type Figure, type Settings } from './figures.ts'

const DIRECT = { AGENT_RELAY_PORT_MAPPING: 'off' }
/** The daemon hears the second only with the first, so that nobody sends in the clear by mistake. */
const IN_THE_CLEAR = { ...DIRECT, NODE_ENV: 'benchmark', AGENT_RELAY_SEAL: 'off' }
const load = { inFlight: 512, count: 10_000 }

export async function direct(settings: Settings): Promise<Figure[]> {
  const figures = await between(
    {
      name: 'direct',
      loads: [
        { inFlight: 1, count: 500 },
        { inFlight: 64, count: 5000 },
        { ...load, goal: '≥ 1.5 × JetStream' },
      ],
      p50Goal: '≤ 2 ms',
      env: DIRECT,
      isDirect: true,
    },
    settings,
  )
  return [...figures, ...(await costOfSealing(settings))]
}

async function costOfSealing({ repeats }: Settings): Promise<Figure[]> {
  const sealed = await openPair({ env: DIRECT, isDirect: true })
  const clear = await openPair({ env: IN_THE_CLEAR, isDirect: true })
  const values: number[] = []
  const baseline = { name: 'in the clear', values: [] as number[] }
  try {
    for (let n = 0; n < repeats; n++) {
      values.push((await sealed.pump(load)).perSecond)
      baseline.values.push((await clear.pump(load)).perSecond)
    }
  } finally {
    await clear.close()
    await sealed.close()
  }
  const name = `direct, ${load.inFlight} in flight, sealed`
  return compared({ name, unit: 'msg/s', values }, [{ baseline, goal: '≥ 0.8 × in the clear' }])
}
