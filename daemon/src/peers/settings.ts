/** What the environment says of direct links. */
import type { Candidate } from '@agent-relay/protocol'
import { RelayError } from '../errors.ts'
import { parseAdvertised } from './candidates.ts'

export type PeerSettings = {
  /** Null: this machine makes no direct links; undefined: a port that was free once, and is kept. */
  port: number | null | undefined
  advertised: Candidate[]
  isMappingOff: boolean
}

type Texts = { peerPort: string | undefined; advertise: string | undefined; portMapping: string | undefined }

/** Throws BAD_REQUEST that names the variable and what it expects. */
export function peerSettings({ peerPort, advertise, portMapping }: Texts): PeerSettings {
  if (portMapping !== undefined && portMapping !== 'on' && portMapping !== 'off')
    throw new RelayError(
      'BAD_REQUEST',
      `AGENT_RELAY_PORT_MAPPING is ${JSON.stringify(portMapping)}: set it to off, or unset it.`,
    )
  return { port: portOf(peerPort), advertised: parseAdvertised(advertise), isMappingOff: portMapping === 'off' }
}

function portOf(text: string | undefined): number | null | undefined {
  if (text === undefined) return undefined
  if (text === 'off') return null
  const port = Number(text)
  if (/^\d+$/.test(text) && port >= 1024 && port <= 65_535) return port
  throw new RelayError(
    'BAD_REQUEST',
    `AGENT_RELAY_PEER_PORT is ${JSON.stringify(text)}: set it to a port from 1024 to 65535, to off, or unset it.`,
  )
}
