/** `npm run bench [-- NAME…] [--repeats N] [--peers]`: real processes of the built bundles; prints one table, writes bench/results.json. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { onEnd } from '../scripts/on-end.ts'
import { cli } from './cli.ts'
import { endLabs } from './daemons.ts'
import { direct } from './direct.ts'
import { fanout } from './fanout.ts'

import { type Figure, ratios, type Settings, spread, table } from './figures.ts'
import { local } from './local.ts'
import { mailbox } from './mailbox.ts'
import { relay } from './relay.ts'
import { start } from './start.ts'

const all: Record<string, (settings: Settings) => Promise<Figure[]>> = {
  local,
  direct,
  relay,
  mailbox,
  fanout,
  start,
  cli,
}
const { values, positionals } = parsed()
const unknown = positionals.find((name) => !Object.hasOwn(all, name))
if (unknown !== undefined) {
  console.error(`There is no benchmark ${JSON.stringify(unknown)}; there are: ${Object.keys(all).join(', ')}`)
  process.exit(2)
}
const repeats = Number(values.repeats ?? 3)
if (!Number.isInteger(repeats) || repeats < 1) {
  console.error(`--repeats takes a number from 1, not ${JSON.stringify(values.repeats)}`)
  process.exit(2)
}

const root = path.join(import.meta.dirname, '..')
const built = spawnSync(process.execPath, ['build.ts'], { cwd: path.join(root, 'daemon'), encoding: 'utf8' })
if (built.status !== 0) {
  console.error(`The daemon could not be built:\n${built.stderr}`)
  process.exit(1)
}
onEnd(() => void endLabs().finally(() => process.exit(1)))
const figures: Figure[] = []
const failed: string[] = []
const loadBefore = loadavg()[0]
for (const name of positionals.length > 0 ? positionals : Object.keys(all)) {
  console.error(`${name} …`)
  try {
    figures.push(...((await all[name]?.({ repeats, hasPeers: values.peers })) ?? []))
  } catch (error) {
    // The others still count, but the run did not succeed.
    console.error(`${name} failed: ${error instanceof Error ? error.message : error}`)
    failed.push(name)
    process.exitCode = 1
  }
}
console.log(table(figures))
writeFileSync(
  path.join(import.meta.dirname, 'results.json'),
  `${JSON.stringify(
    {
      at: new Date().toISOString(),
      node: process.version,
      platform: `${process.platform}-${process.arch}`,
      cpus: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`,
      // Others on the machine: above 0 at the start, absolute figures say little and ratios more.
      loadBefore,
      repeats,
      ...(failed.length > 0 && { failed }),
      figures: figures.map((figure) => ({ ...figure, ...spread(figure.values), ratio: ratios(figure) })),
    },
    null,
    2,
  )}\n`,
)

// What a failed benchmark left behind ends with this process.
process.exit()

function parsed() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { repeats: { type: 'string' }, peers: { type: 'boolean', default: false } },
    })
  } catch (error) {
    console.error(`${(error as Error).message}. Use: npm run bench -- [NAME…] [--repeats N] [--peers]`)
    process.exit(2)
  }
}
