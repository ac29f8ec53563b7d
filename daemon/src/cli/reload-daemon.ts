/** Tells the daemon of this home that link or unlink changed it. */
import { openConnection } from '../client/connection.ts'
import { RelayError } from '../errors.ts'
import type { HomePaths } from '../home/paths.ts'
import { version } from '../version.ts'

/** Has the running daemon read its home again; false when none runs. Throws the daemon's own error. */
export async function reloadDaemon(paths: HomePaths): Promise<boolean> {
  try {
    const connection = await openConnection({ socket: paths.socket, client: `cli/${version}` })
    try {
      await connection.request('reload', {})
      return true
    } finally {
      connection.close()
    }
  } catch (error) {
    if (error instanceof RelayError && error.code === 'DAEMON_DOWN') return false
    throw error
  }
}
