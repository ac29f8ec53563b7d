import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const daemon = join(import.meta.dirname, '..')
const run = (file: string, args: string[], cwd: string): string =>
  execFileSync(file, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

test('the packed tarball installs into an empty folder, is small, and runs', { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'agent-relay-packed-'))
  try {
    const [packed] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', folder], daemon))
    run('npm', ['init', '-y'], folder)
    run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', join(folder, packed.filename)], folder)
    const installed = join(folder, 'node_modules/agent-relay')
    const { version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
    expect(run(join(folder, 'node_modules/.bin/agent-relay'), ['--version'], folder)).toBe(`${version}\n`)
    const sdk =
      "import('agent-relay').then(({ connect }) => connect({ home: '/nowhere' })).catch((e) => console.log(e.code))"
    expect(run(process.execPath, ['-e', sdk], folder)).toBe('DAEMON_DOWN\n')
    expect(JSON.parse(readFileSync(join(installed, 'dist/schema/send.json'), 'utf8')).properties).toHaveProperty('body')

    // Loaded only by a daemon that asks a router, so nobody else would see that it needs what is not in the bundle.
    const dist = join(installed, 'dist')
    const mapper = readdirSync(dist).find((name) => readFileIn(dist, name).includes('AddAnyPortMapping'))
    const load = `import('./${mapper}').then((module) => console.log(Object.keys(module).length > 0))`
    expect(run(process.execPath, ['-e', load], dist)).toBe('true\n')

    const files = readdirSync(join(folder, 'node_modules'), { recursive: true, withFileTypes: true })
    const sizeBytes = files.reduce(
      (sum, file) => sum + (file.isFile() ? statSync(join(file.parentPath, file.name)).size : 0),
      0,
    )
    const packages = files.filter((file) => file.name === 'package.json').length
    console.log(`installed: ${packages} packages, ${(sizeBytes / 1024 / 1024).toFixed(1)} MB`)
    expect(sizeBytes).toBeLessThan(20 * 1024 * 1024)
    expect(packages).toBeLessThanOrEqual(20)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

const readFileIn = (folder: string, name: string): string =>
  name.endsWith('.js') ? readFileSync(join(folder, name), 'utf8') : ''

test('two builds of the same sources are the same bytes', { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'agent-relay-twice-'))
  try {
    for (const name of ['a', 'b'])
      run(process.execPath, [join(daemon, 'build.ts'), '--out', join(folder, name)], daemon)
    expect(run('diff', ['-r', 'a', 'b'], folder)).toBe('')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
