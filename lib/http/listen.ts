import type { Server } from 'node:http'
import { createServer, type Server as NetServer } from 'node:net'
import { OperatorError } from '#lib/operator-error.ts'

/**
 * Listens, or says in one line why not.
 * @throws OperatorError PORT_TAKEN, PORT_REFUSED, HOST_UNKNOWN
 */
export function listen(server: Server | NetServer, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) => reject(listenError(error, port, host))
    server.once('error', fail)
    server.listen(port, host, () => {
      server.off('error', fail)
      resolve()
    })
  })
}

/** Fails as `listen` would, before a long build is spent on a port that is taken; `0` becomes a free one. */
export async function checkPort(port: number, host: string): Promise<number> {
  const probe = createServer()
  await listen(probe, port, host)
  const found = (probe.address() as { port: number }).port
  await new Promise((resolve) => probe.close(resolve))
  return found
}

function listenError(error: NodeJS.ErrnoException, port: number, host: string): Error {
  if (error.code === 'EADDRINUSE')
    return new OperatorError(
      'PORT_TAKEN',
      `Port ${port} on ${host} is taken by another program: choose another one, for example PORT=${port + 1} npm start`,
    )
  if (error.code === 'EACCES')
    return new OperatorError(
      'PORT_REFUSED',
      `Port ${port} is not allowed for this user: choose one above 1023, for example PORT=3000 npm start`,
    )
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND')
    return new OperatorError(
      'HOST_UNKNOWN',
      `HOST is "${host}", which is no address of this computer: use 127.0.0.1 for this computer only, or 0.0.0.0 for everybody.`,
    )
  return error
}
