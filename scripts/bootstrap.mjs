// Plain JavaScript without dependencies: runs on whatever Node the machine has, before anything is installed.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { whenOrphaned } from './orphan.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const isWindows = process.platform === 'win32'
const neededMajor = 24

/**
 * Installs what package-lock.json says when it is not there, and runs a TypeScript file of this folder on Node 24: in this
 * process when it is one, else in a child on the copy that npm installed.
 * @param {string} script
 */
export async function runScript(script) {
  process.chdir(root)
  installWhenStale()
  const pinned = path.join(root, 'node_modules/node/bin', isWindows ? 'node.exe' : 'node')
  const isModern = Number(process.versions.node.split('.')[0]) >= neededMajor
  const node = isModern ? process.execPath : pinned
  if (!isModern && spawnSync(pinned, ['--version']).status !== 0)
    fail(
      `Node ${neededMajor} is needed, this is ${process.version}, and the copy in node_modules does not run here: install Node ${neededMajor} from https://nodejs.org, or run: npm rebuild node`,
    )
  process.env.PATH = path.dirname(node) + path.delimiter + process.env.PATH
  process.env.NEXT_TELEMETRY_DISABLED = '1'
  const file = path.join(root, 'scripts', script)
  if (isModern) await import(pathToFileURL(file).href)
  else runIn(node, file)
}

function installWhenStale() {
  if (isInstalled()) return
  console.error('Installing packages (first start, or package-lock.json changed) …')
  const npm = process.env.npm_execpath
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error']
  const [command, ...rest] = npm?.endsWith('.js') ? [process.execPath, npm, ...args] : ['npm', ...args]
  const { status, error } = spawnSync(command, rest, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: isWindows && command === 'npm',
  })
  if (error || status !== 0)
    fail(`npm ci failed${error ? `: ${error.message}` : ', see above'}: check the network and run this again.`)
}

/** A checkout touches package-lock.json also when it does not change it, so a newer file is compared, not believed. */
function isInstalled() {
  const installed = path.join(root, 'node_modules/.package-lock.json')
  const wanted = path.join(root, 'package-lock.json')
  if (!existsSync(installed)) return false
  if (statSync(installed).mtimeMs >= statSync(wanted).mtimeMs) return true
  const have = JSON.parse(readFileSync(installed, 'utf8')).packages
  const want = Object.entries(JSON.parse(readFileSync(wanted, 'utf8')).packages)
  return want.every(([name, entry]) => name === '' || entry.optional || have[name]?.version === entry.version)
}

/** The child hears of our end by its channel also when we are killed. */
function runIn(node, file) {
  const child = spawn(node, [file, ...process.argv.slice(2)], { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  whenOrphaned(() => child.kill('SIGTERM'))
  child.once('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)))
}

/** @param {string} message */
function fail(message) {
  console.error(message)
  process.exit(1)
}
