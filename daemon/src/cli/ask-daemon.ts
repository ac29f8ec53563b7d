/** One question to the daemon of this home, for commands that also work without one. */
import type { LocalResults } from '@agent-relay/protocol/local'
import { openConnection } from '../client/connection.ts'
import { RelayError } from '../errors.ts'
import type { HomePaths } from '../home/paths.ts'
import { version } from '../version.ts'

/** The daemon's answer, or undefined when none runs. Throws the daemon's own error. */
export async function askDaemon<T extends 'status' | 'reload'>(
  paths: HomePaths,
  type: T,
): Promise<LocalResults[T] | undefined> {
  try {
    const connection = await openConnection({ socket: paths.socket, client: `cli/${version}` })
    try {
      return await connection.request(type, {} as never)
    } finally {
      connection.close()
    }
  } catch (error) {
    if (error instanceof RelayError && error.code === 'DAEMON_DOWN') return undefined
    throw error
  }
}
