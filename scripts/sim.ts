/** `npm run sim [-- --seeds N] [--from SEED] [--variant NAME] [--lines N]`: the delivery simulator over many seeds, on every core. */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { bundle, variantNamed } from '../daemon/test/sim/bundle.ts'
import { createCrew } from '../daemon/test/sim/crew.ts'
import { explain } from '../daemon/test/sim/explain.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '10000' },
    from: { type: 'string', default: '0' },
    variant: { type: 'string' },
    /** How many failing seeds are looked for before it stops. */
    failures: { type: 'string', default: '1' },
    /** How much of a failing run's diary is shown. */
    lines: { type: 'string', default: '120' },
  },
})

function whole(flag: 'seeds' | 'from' | 'failures' | 'lines', least: number): number {
  const number = Number(values[flag])
  if (Number.isInteger(number) && number >= least) return number
  console.error(`--${flag} takes a whole number from ${least}, not ${JSON.stringify(values[flag])}`)
  process.exit(2)
}

const [from, count, mostFound] = [whole('from', 0), whole('seeds', 1), whole('failures', 1)]
const lines = whole('lines', 1)
const crew = createCrew(
  await bundle(values.variant === undefined ? undefined : variantNamed(values.variant)),
  Math.min(availableParallelism(), count),
)
const startedAt = performance.now()
let saidAt = startedAt
const played = await crew.play({
  from,
  count,
  mostFound,
  progress({ seeds, messages, found }) {
    if (performance.now() - saidAt < 2_000) return
    saidAt = performance.now()
    const perSecond = (1_000 * seeds) / (saidAt - startedAt)
    console.error(
      `${seeds} of ${count} seeds, ${messages} messages, ${found.length} failed, ${perSecond.toFixed(0)} seeds/s, ${((count - seeds) / perSecond / 60).toFixed(0)} min left`,
    )
  },
})
if (mostFound === 1)
  for (const found of played.found) console.log(`${await explain(crew, found, { variant: values.variant, lines })}\n`)
else for (const { seed, failure } of played.found) console.log(`${seed} ${failure.text.split('\n')[0]}`)
await crew.end()
const seconds = (performance.now() - startedAt) / 1_000
console.log(
  `${played.seeds} seeds from ${from}, ${played.messages} messages, ${played.links} links, ${played.found.length} failed in ${seconds.toFixed(1)} s (${(played.seeds / seconds).toFixed(0)} seeds/s)`,
)
process.exit(played.found.length === 0 ? 0 : 1)
