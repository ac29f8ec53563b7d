// Generates the Prisma client into lib/db/generated, without a network: Prisma's CLI insists on a schema engine that
// `generate` never runs, so any file that exists satisfies it.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const { status, error } = spawnSync(process.execPath, ['node_modules/prisma/build/index.js', 'generate'], {
  cwd: root,
  stdio: ['ignore', 'ignore', 'inherit'],
  env: {
    ...process.env,
    PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
    PRISMA_HIDE_UPDATE_MESSAGE: '1',
    CHECKPOINT_DISABLE: '1',
  },
})
if (error) console.error(`The Prisma client could not be generated: ${error.message}. Run: npm ci`)
process.exit(status ?? 1)
