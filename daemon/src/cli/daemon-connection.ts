/** A command's connection to the daemon: as the agent in whose environment it runs, as --from says, or as the person. */
import { type Connection, openConnection, type Push } from '../client/connection.ts'
import { RelayError } from '../errors.ts'
import { readEnvironment } from '../home/env.ts'
import { homePaths } from '../home/paths.ts'
import { readToken, readTokenFile, tokenPath } from '../home/tokens.ts'
import { version } from '../version.ts'

type Wish = {
  /** Speak as this agent of this machine. */
  from?: string | undefined
  /** Speak as the person, also inside an agent's environment. */
  asPerson?: boolean
  onPush?: (push: Push) => void
}

/** Throws DAEMON_DOWN when no daemon runs on this home, NOT_FOUND when `from` is no agent of this machine. */
export async function connectToDaemon({ from, asPerson, onPush }: Wish = {}): Promise<Connection> {
  const environment = readEnvironment()
  const paths = homePaths(environment.home)
  const name = asPerson ? undefined : (from ?? environment.agentName)
  const isOwnName = from === undefined || from.toLowerCase() === environment.agentName?.toLowerCase()
  const client = `cli/${version}`
  if (name === undefined) return openConnection({ socket: paths.socket, client, ...(onPush && { onPush }) })
  const token =
    isOwnName && environment.tokenFile !== undefined ? readTokenFile(environment.tokenFile) : readToken(paths, name)
  if (token === undefined) {
    // Without a daemon there is nobody to know the name: say that first.
    const connection = await openConnection({ socket: paths.socket, client })
    connection.close()
    throw new RelayError(
      'NOT_FOUND',
      `${name} is not an agent of this machine: ${isOwnName ? environment.tokenFile : tokenPath(paths, name)} is missing. Next: agent-relay agents`,
    )
  }
  return openConnection({ socket: paths.socket, client, agent: { name, token }, ...(onPush && { onPush }) })
}

/** Runs `work` with a connection that is closed after it. */
export async function withDaemon<T>(work: (connection: Connection) => Promise<T>, wish: Wish = {}): Promise<T> {
  const connection = await connectToDaemon(wish)
  try {
    return await work(connection)
  } finally {
    connection.close()
  }
}
