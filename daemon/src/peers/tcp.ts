/** TCP under a link: a port to listen on, and connections to others, with the operating system's troubles in words. */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { RelayError } from '../errors.ts'

type Target = { host: string; port: number; localPort?: number | undefined }

/** Connects; whoever calls listens for 'connect' and 'error'. */
export const startTcp = ({ host, port, localPort }: Target): Socket =>
  connect({ host, port, noDelay: true, ...(localPort !== undefined && { localPort }) })

export const placeOf = ({ host, port }: Target): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`

/** Why there is no connection, for the link's `why` and the log. */
export function tcpTrouble(target: Target, error: Error | undefined): RelayError {
  const place = placeOf(target)
  const code = codeOf(error)
  const localPort = target.localPort ?? 0
  const sentences: Record<string, string> = {
    ECONNREFUSED: `${place} refused the connection: no daemon listens there.`,
    EHOSTUNREACH: `${place} is not reachable from this network.`,
    ENETUNREACH: `${place} is not reachable from this network.`,
    EHOSTDOWN: `${place} is not there.`,
    ENOTFOUND: `${target.host} has no address: is the advertised name right?`,
    EAI_AGAIN: `${target.host} could not be looked up just now.`,
    ETIMEDOUT: `${place} did not answer.`,
    EADDRINUSE: `Local port ${localPort} is in use for a connection to ${place}.`,
    EADDRNOTAVAIL: `This machine has no address from which ${place} can be reached.`,
  }
  const sentence = sentences[code] ?? `The connection to ${place} was lost before it was made${code && ` (${code})`}.`
  return new RelayError('UNAVAILABLE', sentence, { cause: error })
}

export type Door = {
  /** The port that was given. Rejects with CONFLICT, FORBIDDEN or UNAVAILABLE. */
  open(port: number): Promise<number>
  /** Takes nobody any more; who is here stays. */
  close(): void
}

export function createDoor(onSocket: (socket: Socket) => void): Door {
  let server: Server | undefined

  async function listenOn(port: number, host: string): Promise<number> {
    const opened = createServer({ noDelay: true }, onSocket)
    await new Promise<void>((resolve, reject) => {
      opened.once('error', reject)
      opened.listen({ port, host }, resolve)
    })
    // One failed accept (no more file descriptors) is the end of that connection only.
    opened.removeAllListeners('error').on('error', () => undefined)
    opened.unref()
    server = opened
    return (opened.address() as { port: number }).port
  }

  return {
    async open(port) {
      try {
        // Of both families; on a system without the newer one, of the other.
        return await listenOn(port, '::').catch((error) => {
          if (['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EINVAL'].includes(codeOf(error))) return listenOn(port, '0.0.0.0')
          throw error
        })
      } catch (error) {
        throw portTrouble(port, error as Error)
      }
    },
    close() {
      server?.close()
      server = undefined
    },
  }
}

function portTrouble(port: number, error: Error): RelayError {
  const code = codeOf(error)
  if (code === 'EADDRINUSE')
    return new RelayError('CONFLICT', `Port ${port} is in use by another program: choose another one.`, {
      cause: error,
    })
  if (code === 'EACCES')
    return new RelayError('FORBIDDEN', `Port ${port} needs more rights than this user has: choose one above 1023.`, {
      cause: error,
    })
  return new RelayError('UNAVAILABLE', `Port ${port} cannot be listened on (${code || error.message}).`, {
    cause: error,
  })
}

const codeOf = (error: unknown): string => String((error as { code?: unknown } | undefined)?.code ?? '')
