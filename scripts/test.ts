/** `npm test`: every check of the house, in the order in which a failure is cheapest. The last line is `N passed, N failed`. */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { buildPackage, buildPages, generate } from './build.ts'
import { type Command, capture, endChildren, nodeCommand } from './children.ts'
import { findChromium, noChromium } from './chromium.ts'
import { onEnd } from './on-end.ts'
import { readPlaywright, readVitest, type Tally } from './tally.ts'

const groups = ['lint', 'unit', 'e2e'] as const
const vitestReport = '.build/vitest.json'
const playwrightReport = '.build/playwright.json'
const folders = [
  'app',
  'components',
  'lib',
  'protocol/src',
  'daemon/src',
  'daemon/test',
  'server.ts',
  'scripts',
  'e2e',
  'bench',
]

const total = { passed: 0, failed: 0 }

/** Counts one check, shows its line, and its output when it failed. */
async function check(label: string, run: () => Promise<Tally>): Promise<boolean> {
  const startedAt = performance.now()
  const { passed, failed, skipped, output } = await run().catch((error: Error) => failure(error.message))
  total.passed += passed
  total.failed += failed
  const isGood = failed === 0
  if (!isGood) console.log(`\n${output.trimEnd()}\n`)
  const counts =
    passed + failed > 1 ? ` ${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}` : ''
  console.log(
    `${isGood ? 'ok  ' : 'FAIL'} ${label}${counts} (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`,
  )
  return isGood
}

const failure = (output: string): Tally => ({ passed: 0, failed: 1, skipped: 0, output })

const command = (line: Command) => async (): Promise<Tally> => {
  const { code, output } = await capture(line[0], line.slice(1))
  return code === 0 ? { passed: 1, failed: 0, skipped: 0, output } : failure(output)
}

const made = (make: () => Promise<void>) => async (): Promise<Tally> => {
  await make()
  return { passed: 1, failed: 0, skipped: 0, output: '' }
}

/** A runner that writes a report: its own counts, and one failure more when it failed without naming a test. */
const runner =
  (line: Command, report: string, read: (json: string) => Omit<Tally, 'output'>, env = {}) =>
  async () => {
    rmSync(report, { force: true })
    const { code, output } = await capture(line[0], line.slice(1), { env: { ...process.env, ...env } })
    if (!existsSync(report)) return failure(output)
    const tally = read(readFileSync(report, 'utf8'))
    return { ...tally, failed: code !== 0 && tally.failed === 0 ? 1 : tally.failed, output }
  }

async function lint(): Promise<void> {
  const modules = folders.filter((folder) => existsSync(folder))
  const depcruise = ['node_modules/dependency-cruiser/bin/dependency-cruiser.mjs', ...modules]
  await check('biome', command(nodeCommand('node_modules/@biomejs/biome/bin/biome', 'check', '.')))
  await check('import rules', command(nodeCommand(...depcruise, '--config', '.dependency-cruiser.cjs')))
  await check('unused code', command(nodeCommand('node_modules/knip/bin/knip.js', '--no-progress')))
  await check('types', command(nodeCommand('node_modules/typescript/bin/tsc', '--noEmit')))
}

async function unit(): Promise<void> {
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${vitestReport}`]
  const line = nodeCommand('node_modules/vitest/vitest.mjs', 'run', ...reporters)
  await check('unit and integration', runner(line, vitestReport, readVitest, { NO_COLOR: '1' }))
}

/** `pictures`: where the pictures of every page go; test-results when undefined. */
async function e2e(pictures: string | undefined): Promise<void> {
  const browser = findChromium(console.log)
  if (!browser) {
    await check('end to end', async () => failure(noChromium))
    return
  }
  const line = nodeCommand('node_modules/@playwright/test/cli.js', 'test', '--reporter=list,json')
  const env = {
    CHROMIUM_PATH: browser,
    PLAYWRIGHT_JSON_OUTPUT_FILE: playwrightReport,
    NO_COLOR: '1',
    ...(pictures !== undefined && { PICTURES_DIR: pictures }),
  }
  await check('end to end', runner(line, playwrightReport, readPlaywright, env))
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { only: { type: 'string' }, pictures: { type: 'string' } } })
  const only = values.only as (typeof groups)[number] | undefined
  if (only && !groups.includes(only)) {
    console.error(`--only is "${only}" and must be one of ${groups.join(', ')}.`)
    process.exit(2)
  }
  await check('generate', made(generate))
  if (!only || only === 'lint') await lint()
  // The tests start the control plane and the daemon as they are shipped.
  const isBuilt =
    only === 'lint' ||
    ((await check(
      'daemon package',
      made(() => buildPackage(() => {})),
    )) &&
      (await check(
        'pages',
        made(() => buildPages(() => {})),
      )))
  if (!only || only === 'unit') await unit()
  if (isBuilt && (!only || only === 'e2e')) await e2e(values.pictures)
}

onEnd(() => {
  endChildren('SIGTERM')
  console.log(`${total.passed} passed, ${total.failed + 1} failed (interrupted)`)
  process.exit(1)
})
await main()
console.log(`\n${total.passed} passed, ${total.failed} failed`)
process.exit(total.failed === 0 ? 0 : 1)
