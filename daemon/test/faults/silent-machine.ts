/** A linked machine whose engine lives and whose application does not: it proves itself and never says a word again. */
import { randomUUID } from 'node:crypto'
import {
  CONTROL_VERSION,
  controlProofText,
  MACHINES_NAMESPACE,
  SOCKET_PATH,
  type WireError,
} from '@agent-relay/protocol'
import { io } from 'socket.io-client'
import { readConfig } from '../../src/home/config.ts'
import { readIdentity } from '../../src/home/identity.ts'
import { homePaths } from '../../src/home/paths.ts'
import type { Machine } from './machine.ts'

export type SilentMachine = { goodbye: Promise<WireError> }

/** Resolves at the control plane's welcome. */
export async function dialSilently(machine: Machine, url: string): Promise<SilentMachine> {
  const paths = homePaths(machine.home)
  const { link } = readConfig(paths)
  const identity = readIdentity(paths)
  if (link === null || identity === undefined) throw new Error(`${machine.name} is not linked`)
  const bootId = randomUUID()
  const socket = io(`${url}${MACHINES_NAMESPACE}`, {
    path: SOCKET_PATH,
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
    auth: { v: CONTROL_VERSION, key: link.key, bootId, version: 'test' },
  })
  socket.on('challenge', (challenge, reply) =>
    reply({ signature: identity.sign(controlProofText(challenge, bootId)), publicKey: identity.publicKey }),
  )
  const goodbye = new Promise<WireError>((resolve) => socket.once('goodbye', resolve))
  await new Promise((resolve, reject) => {
    socket.once('welcome', resolve)
    socket.once('connect_error', reject)
  })
  return { goodbye }
}
