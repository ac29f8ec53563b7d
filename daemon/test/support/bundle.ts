/** The built command in a folder of its own, as an installed package would lie there. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const daemon = join(import.meta.dirname, '../..')

/** Builds into a new folder and returns the path of its cli.js. */
export function buildBundle(): string {
  const root = mkdtempSync(join(tmpdir(), 'agent-relay-built-'))
  const dist = join(root, 'node_modules/agent-relay/dist')
  mkdirSync(join(dist, '..'), { recursive: true })
  symlinkSync(join(daemon, '../node_modules/@lydell'), join(root, 'node_modules/@lydell'))
  symlinkSync(join(daemon, 'package.json'), join(dist, '../package.json'))
  execFileSync(process.execPath, [join(daemon, 'build.ts'), '--out', dist], { stdio: 'pipe' })
  return join(dist, 'cli.js')
}
