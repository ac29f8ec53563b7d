/** What has to be made of the sources before the control plane can run, each only when its sources changed. */
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { packageFile } from '#lib/http/package-file.ts'
import { nodeCommand, npmCommand, step } from './children.ts'
import { makeWhenStale } from './stamp.ts'

type Say = (line: string) => void

const pageSources = [
  ...['app', 'components', 'lib', 'protocol/src', 'public', 'prisma/schema.prisma'],
  ...['next.config.mjs', 'postcss.config.mjs', 'tsconfig.json', 'package.json', 'package-lock.json'],
]

/** The Prisma client. */
export async function generate(): Promise<void> {
  const sources = ['prisma/schema.prisma', 'prisma.config.ts', 'package-lock.json']
  await makeWhenStale('lib/db/generated/.made-from', sources, () =>
    step('Generating the Prisma client', nodeCommand('scripts/generate.ts')),
  )
}

/** The daemon's package, as `/agent-relay.tgz` serves it. */
export async function buildPackage(say: Say): Promise<void> {
  const folder = path.dirname(packageFile)
  const sources = ['daemon/src', 'daemon/build.ts', 'daemon/package.json', 'daemon/README.md', 'protocol/src']
  await makeWhenStale(path.join(folder, 'made-from'), [...sources, 'package-lock.json'], async () => {
    say('Building the daemon …')
    await step('Building the daemon', nodeCommand('build.ts'), { cwd: 'daemon' })
    mkdirSync(folder, { recursive: true })
    for (const name of readdirSync(folder).filter((name) => name.endsWith('.tgz'))) rmSync(path.join(folder, name))
    const pack = npmCommand('pack', '--ignore-scripts', '--pack-destination', path.resolve(folder))
    await step('Packing the daemon', pack, { cwd: 'daemon' })
    const packed = readdirSync(folder).find((name) => name.endsWith('.tgz'))
    if (packed) renameSync(path.join(folder, packed), packageFile)
  })
}

/** The pages; `next dev` makes its own. */
export async function buildPages(say: Say): Promise<void> {
  await makeWhenStale('.next/made-from', pageSources, async () => {
    say('Building the pages (first start, or sources changed) …')
    await step('Building the pages', nodeCommand('node_modules/next/dist/bin/next', 'build'), {
      env: { ...process.env, NODE_ENV: 'production' },
    })
  })
}
