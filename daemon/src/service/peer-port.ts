/** The port on which this home takes links: chosen once and kept, so that what a firewall or a router has for it stays right. */
import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { toWire } from '../errors.ts'
import { writePrivate } from '../home/files.ts'
import type { HomePaths } from '../home/paths.ts'
import type { Log } from '../log.ts'
import type { PeerTransport } from '../peers/transport.ts'

/** Below what systems give to outgoing connections (32768 and up on Linux): nobody has it by accident when this one comes back. */
const LOWEST = 21_000
const HIGHEST = 32_000
const TRIES = 10

/** `wanted` by the operator, else the one that is kept. Null when there is none to be had: this machine then only dials. */
export async function listenOn(
  transport: PeerTransport,
  { paths, log, wanted }: { paths: HomePaths; log: Log; wanted: number | undefined },
): Promise<number | null> {
  const kept = wanted ?? read(paths)
  const tries = wanted === undefined ? Array.from({ length: TRIES }, () => randomInt(LOWEST, HIGHEST)) : []
  for (const port of kept === undefined ? tries : [kept, ...tries]) {
    try {
      const given = await transport.listen(port)
      if (wanted === undefined && given !== kept) keep(paths, given, log)
      return given
    } catch (error) {
      log.warn(`port ${port} cannot be had for direct links`, { reason: toWire(error).message })
    }
  }
  return null
}

function read({ peerPort }: HomePaths): number | undefined {
  try {
    const port = Number(readFileSync(peerPort, 'utf8'))
    return Number.isInteger(port) && port >= 1024 && port <= 65_535 ? port : undefined
  } catch {
    return undefined
  }
}

function keep({ peerPort }: HomePaths, port: number, log: Log): void {
  try {
    writePrivate(peerPort, `${port}\n`)
  } catch (error) {
    log.warn('the port of direct links could not be written down; the next run takes another one', { error })
  }
}
