import { setTimeout as pause } from 'node:timers/promises'
import { RelayError } from '../errors.ts'
import { defineCommand } from './command.ts'
import { connectToDaemon } from './daemon-connection.ts'
import { EXIT } from './exit.ts'

/** Agents get 2 s to end, then they are killed. */
const DOWN_MS = 15_000
const LOOK_MS = 20

export const command = defineCommand({
  name: 'down',
  summary: 'stop the daemon and the agents that it runs',
  details: 'What is queued stays on disk and goes on its way at the next agent-relay up.',
  async run(_, io) {
    const connection = await connectToDaemon().catch((error: unknown) => {
      if (error instanceof RelayError && error.code === 'DAEMON_DOWN') return undefined
      throw error
    })
    if (!connection) {
      io.say('The daemon is not running; nothing to stop.')
      return EXIT.ok
    }
    const { pid, queued } = await connection.request('status', {})
    await connection.request('shutdown', {})
    await ended(pid)
    io.print(
      `agent-relay is down${queued > 0 ? `; ${queued === 1 ? '1 message waits' : `${queued} messages wait`} on disk for the next agent-relay up` : ''}.`,
    )
    return EXIT.ok
  },
})

/** The socket closes before the process has ended; a new daemon may start only after it has. */
async function ended(pid: number): Promise<void> {
  const until = performance.now() + DOWN_MS
  while (isAlive(pid)) {
    if (performance.now() > until)
      throw new RelayError(
        'TIMEOUT',
        `The daemon (pid ${pid}) does not end. Next: kill -9 ${pid}; nothing queued is lost`,
      )
    await pause(LOOK_MS)
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
