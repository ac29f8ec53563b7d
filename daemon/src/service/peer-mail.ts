/** Messages and acknowledgements on their way into one direct link: in frames that fit, no faster than the other end takes them. */
import { type Envelope, MAX_BATCH, MAX_BATCH_BYTES, type ReturnBatch } from '@agent-relay/protocol'
import { returnQueue } from '../cloud/batches.ts'
import { RelayError } from '../errors.ts'
import type { PeerLink } from '../peers/transport.ts'

/** In the connection and not yet taken by the system: the core's own bound of what is under way to one machine. */
const BUFFER_BYTES = 8 * 1024 * 1024
/** Behind it here. More is not kept: the core still has it, and sends it again by its own clock. */
const WAITING_BYTES = 16 * 1024 * 1024
/** A connection says nothing when there is room again; at full speed 8 MiB are gone in a few of these. */
const LOOK_MS = 5
/** An upper bound of an envelope's JSON without its body. */
const HEADER_BYTES = 2_048

export type PeerMail = {
  send(envelopes: readonly Envelope[]): void
  /** Acknowledgements go at once: they are small, and make room at the other end. */
  giveBack(batch: ReturnBatch): void
  stop(): void
}

type Piece = { envelopes: Envelope[]; sizeBytes: number }

export function createPeerMail(link: Pick<PeerLink, 'send' | 'bufferedBytes'>): PeerMail {
  let pieces: Piece[] = []
  let waitingBytes = 0
  let timer: NodeJS.Timeout | undefined
  const returns = returnQueue(async (batch) => link.send('PEER_ACK', batch))

  function pump(): void {
    timer = undefined
    while (pieces.length > 0) {
      const [piece] = pieces as [Piece]
      const buffered = link.bufferedBytes()
      if (buffered > 0 && buffered + piece.sizeBytes > BUFFER_BYTES) {
        timer = setTimeout(pump, LOOK_MS)
        return
      }
      pieces.shift()
      waitingBytes -= piece.sizeBytes
      link.send('PEER_ROUTE', { envelopes: piece.envelopes })
    }
  }

  return {
    send(envelopes) {
      for (const piece of piecesOf(envelopes)) {
        if (waitingBytes > 0 && waitingBytes + piece.sizeBytes > WAITING_BYTES) break
        pieces.push(piece)
        waitingBytes += piece.sizeBytes
      }
      if (timer === undefined) pump()
    },
    giveBack: (batch) => void returns.add(batch).catch(() => undefined),
    stop() {
      clearTimeout(timer)
      pieces = []
      returns.clear(new RelayError('NOT_CONNECTED', 'The direct link ended.'))
    },
  }
}

/** In their order, each within MAX_BATCH and MAX_BATCH_BYTES. */
export function piecesOf(envelopes: readonly Envelope[]): Piece[] {
  const pieces: Piece[] = []
  let piece: Piece | undefined
  for (const envelope of envelopes) {
    const sizeBytes = sizeOf(envelope)
    if (piece === undefined || piece.envelopes.length >= MAX_BATCH || piece.sizeBytes + sizeBytes > MAX_BATCH_BYTES) {
      piece = { envelopes: [], sizeBytes: 0 }
      pieces.push(piece)
    }
    piece.envelopes.push(envelope)
    piece.sizeBytes += sizeBytes
  }
  return pieces
}

/** At most so many bytes as JSON: a body in the clear is written to be sure, sealed ones are plain text. */
const sizeOf = ({ body, sealed }: Envelope): number =>
  HEADER_BYTES + (sealed?.data.length ?? 0) + (body === '' ? 0 : Buffer.byteLength(JSON.stringify(body)))
