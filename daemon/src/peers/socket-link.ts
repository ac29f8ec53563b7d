/** A link over a wire on which both ends have proved who they are: its frames, checked, and its end, told once. */
import type { PeerFrames, WireError } from '@agent-relay/protocol'
import type { Proved } from './handshake.ts'
import { readPeerFrame } from './peer-frame.ts'
import type { PeerLink, PeerSide } from './transport.ts'
import type { Wire } from './wire.ts'

/**
 * Everything but messages and what is returned for them: probes, signals, events that are not known here. A busy link has one or two
 * a second; whoever has proved itself may still be broken or hostile.
 */
const SMALL_TALK = { perSecond: 50, burst: 500 }

type Options = {
  wire: Wire
  proved: Proved
  role: PeerLink['role']
  side: Pick<PeerSide, 'frame' | 'closed'>
  /** The link is given out by a promise: what comes meanwhile waits for one turn of the event loop, so that it is known first. */
  isPromised: boolean
  /** Before anybody else hears of the end. */
  onEnd(): void
}

/** Listens at once: what follows the handshake's last word in the same read is a frame already. */
export function createLink({ wire, proved, role, side, isPromised, onEnd }: Options): PeerLink {
  const { remoteAddress: host = '', remotePort: port = 0 } = wire.tls
  let isClosed = false
  /** By this end: then nothing of the other is wanted any more, not even what came before. */
  let isSilent = false
  /** What came before the link was known to be there, in order. */
  let held: (() => void)[] | undefined = isPromised ? [] : undefined
  if (isPromised)
    setImmediate(() => {
      const all = held ?? []
      held = undefined
      for (const tell of all) tell()
    })

  function tell(what: () => void): void {
    if (held === undefined) what()
    else held.push(what)
  }

  function end(why: string): void {
    if (isClosed) return
    isClosed = true
    onEnd()
    queueMicrotask(() => tell(() => side.closed(link, why)))
  }

  const link: PeerLink = {
    id: proved.linkId,
    machine: proved.machine,
    bootId: proved.bootId,
    role,
    kind: proved.kind,
    remote: { host: host.replace(/^::ffff:/i, ''), port },
    send(event, frame) {
      if (!isClosed) wire.emit(event, frame)
    },
    bufferedBytes: () => (isClosed ? 0 : wire.bufferedBytes()),
    close(why) {
      if (isClosed) return
      isSilent = true
      wire.emit('PEER_GOODBYE', { why: why.slice(0, 200) })
      wire.end()
      end(why)
    },
  }

  let talk = SMALL_TALK.burst
  let talkAt = performance.now()
  /** Whether so much may still be said beside messages. */
  function mayTalk(): boolean {
    const now = performance.now()
    talk = Math.min(SMALL_TALK.burst, talk + ((now - talkAt) / 1000) * SMALL_TALK.perSecond)
    talkAt = now
    return --talk >= 0
  }

  wire.whenEnded(end)
  wire.listen((event, frame, reply) => {
    if (event !== 'PEER_ROUTE' && event !== 'PEER_ACK' && !mayTalk()) return link.close('it talks too much')
    const read = readPeerFrame(event, frame)
    if (read.what === 'unknown') reply?.({ ok: false, error: unknownFrame(event) })
    else if (read.what === 'malformed') link.close(`it sent ${read.why}`)
    else if (read.what === 'frame' && read.event === 'PEER_GOODBYE') {
      wire.end()
      end(`the other end closed it: ${plain(read.frame)}`)
    } else if (read.what === 'frame')
      tell(() => {
        if (!isSilent) side.frame(link, read.event, read.frame)
      })
  })
  return link
}

const unknownFrame = (event: string): WireError => ({
  code: 'UNKNOWN_FRAME',
  message: `This daemon knows no frame ${JSON.stringify(event.slice(0, 40))}: it is older than the other end.`,
})

/** For a log and a terminal: without what moves cursors. */
const plain = ({ why }: PeerFrames['PEER_GOODBYE']): string => why.replace(/\p{Cc}+/gu, ' ')
