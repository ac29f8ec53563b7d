/** The simulator and the shipped source in one file, as it is or with a known mistake, for any number of workers to run. */
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build, type Plugin } from 'esbuild'
import { VARIANTS, type Variant } from './variants.ts'

const here = import.meta.dirname
const source = join(here, '../../src')

/** Where bundles go: within the repository, so that packages are found from there. */
const folder = join(here, '../../../.build/sim')

/** Builds the worker's file and returns its path. Throws when a piece of the variant is not in the source exactly once. */
export async function bundle(variant?: Variant): Promise<string> {
  mkdirSync(folder, { recursive: true })
  const outfile = join(folder, `${variant?.name ?? 'shipped'}.${process.pid}.mjs`)
  await build({
    entryPoints: [join(here, process.env.ENTRY ?? 'worker.ts')],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    sourcemap: 'inline',
    logLevel: 'silent',
    plugins: [quickDatabase, mistaken(variant?.replacements ?? [])],
  })
  return outfile
}

export function variantNamed(name: string): Variant {
  const variant = VARIANTS.find((candidate) => candidate.name === name)
  if (variant !== undefined) return variant
  throw new Error(`No variant is called ${name}: take one of ${VARIANTS.map((known) => known.name).join(', ')}.`)
}

const quickDatabase: Plugin = {
  name: 'quick-database',
  setup({ onResolve }) {
    const own = join(here, 'database-sync.ts')
    onResolve({ filter: /^node:sqlite$/ }, ({ importer, path }) =>
      importer === own ? { path, external: true } : { path: own },
    )
  },
}

function mistaken(replacements: Variant['replacements']): Plugin {
  return {
    name: 'known-mistake',
    setup({ onLoad }) {
      for (const file of new Set(replacements.map((replacement) => replacement.file))) {
        const path = join(source, file)
        let contents = readFileSync(path, 'utf8')
        for (const { find, replace } of replacements.filter((replacement) => replacement.file === file)) {
          const count = contents.split(find).length - 1
          if (count !== 1) throw new Error(`${file} has this ${count} times and not once: ${find}`)
          contents = contents.replace(find, () => replace)
        }
        const isThis = new RegExp(`^${path.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`)
        onLoad({ filter: isThis }, () => ({ contents, loader: 'ts' }))
      }
    },
  }
}
