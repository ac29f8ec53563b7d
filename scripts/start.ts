/** `npm start`: builds what is stale, brings the database, runs server.ts, and ends everything that it started. */
import { once } from 'node:events'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type EmbeddedPostgres, startEmbedded } from '#lib/db/embedded/index.ts'
import { untilGone } from '#lib/db/embedded/process.ts'
import { migrate } from '#lib/db/migrate.ts'
import { env } from '#lib/env.ts'
import { checkPort } from '#lib/http/listen.ts'
import { OperatorError } from '#lib/operator-error.ts'
import { buildPackage, buildPages, generate } from './build.ts'
import { endChild, endChildren, start } from './children.ts'
import { announceRunning, forgetRunning, holdDataFolder, keepAuthSecret } from './data-folder.ts'
import { onEnd } from './on-end.ts'

/** As long as a server may drain, and a little more. */
const orphanWithinMs = 11_000

const say = (line: string): void => console.error(line)

/** A promise, so that an end in the middle of its start waits for it and ends it too. */
let postgres: Promise<EmbeddedPostgres> | undefined
let server: ReturnType<typeof start> | undefined
let isEnding = false
/** Set once we hold it. */
let heldFolder: string | undefined

async function main(): Promise<void> {
  const { dev } = readFlags()
  const { HOST, PORT, DATABASE_URL, AUTH_SECRET, RELAY_DATA_DIR: folder } = env()
  if (!DATABASE_URL) {
    const killed = holdDataFolder(folder)
    heldFolder = folder
    // The server of a start that was killed drains and ends by itself; it may still hold the port.
    if (killed) await Promise.race([untilGone(killed.serverPid), delay(orphanWithinMs)])
  }
  const port = await checkPort(PORT, HOST)
  await generate()
  await buildPackage(say)
  if (!dev) await buildPages(say)
  if (!DATABASE_URL)
    postgres = startEmbedded({ folder: path.join(folder, 'postgres'), onTrouble: (message) => say(message) })
  const databaseUrl = DATABASE_URL ?? ((await postgres)?.url as string)
  await migrate(databaseUrl).catch(unreachable)
  if (isEnding) return

  server = start(process.execPath, ['server.ts', ...(dev ? ['--dev'] : [])], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: {
      ...process.env,
      NODE_ENV: dev ? 'development' : 'production',
      PORT: `${port}`,
      DATABASE_URL: databaseUrl,
      AUTH_SECRET: AUTH_SECRET ?? keepAuthSecret(folder),
    },
  })
  const serverPid = server.pid as number
  server.once('exit', (code) => void end(code ?? 1))
  server.once('message', (message) => {
    const { ready: url } = message as { ready: string }
    if (!DATABASE_URL) announceRunning(folder, { pid: process.pid, serverPid, url, databaseUrl })
  })
}

/** Server first, so that its last writes find a database. */
async function end(code: number): Promise<void> {
  if (isEnding) return
  isEnding = true
  if (server && server.exitCode === null && server.signalCode === null) {
    const stuck = server
    const ended = once(stuck, 'exit')
    endChild(stuck, 'SIGTERM')
    const hard = setTimeout(() => endChild(stuck, 'SIGKILL'), orphanWithinMs)
    await ended
    clearTimeout(hard)
  }
  endChildren('SIGTERM')
  await postgres?.then((started) => started.stop()).catch(() => {})
  if (heldFolder) forgetRunning(heldFolder)
  process.exit(code)
}

function readFlags(): { dev: boolean } {
  try {
    const { values } = parseArgs({ options: { dev: { type: 'boolean', default: false } } })
    return values
  } catch (error) {
    throw new OperatorError('USAGE', `${(error as Error).message}. npm start takes no flags; npm run dev is --dev.`)
  }
}

function unreachable(error: unknown): never {
  const { code, message } = error as { code?: string; message: string }
  if (error instanceof OperatorError) throw error
  throw new OperatorError(
    'DATABASE_UNREACHABLE',
    `The database of DATABASE_URL does not take us (${message || code}): start it, correct DATABASE_URL, or unset it for an embedded one.`,
    { cause: error },
  )
}

onEnd(() => void end(0))
try {
  await main()
} catch (error) {
  // What an end has cut off did not fail.
  if (!isEnding) console.error(error instanceof OperatorError ? error.message : error)
  await end(1)
}
