/**
 * Which versions of the wire exist and what each added; without a schema library, for programs that must start fast.
 * Whoever opens a connection asks for its newest version; when that is refused as VERSION_UNSUPPORTED, for the one before, at
 * once. Whoever answers speaks its newest and the one before, and says nothing that the agreed version does not know.
 */
type Version = {
  v: number
  added: string
  /** Frames that whoever opened the connection may say since then; each must stand in one row. */
  frames: readonly string[]
}

/** Oldest first; the last is this source's own. docs/protocol.md repeats both tables, and a test compares them. */
export const controlVersions: readonly Version[] = [
  {
    v: 1,
    added: 'names and rosters, relayed envelopes, acknowledgements, gaps, receipts and traces',
    frames: [
      ...['heartbeat', 'agents.sync', 'agents.claim', 'agents.status', 'agents.release', 'roster.get'],
      ...['relay', 'return', 'traces'],
    ],
  },
  {
    v: 2,
    added: 'answered receipts (`heard`), people, channels, and the control plane as a machine of the roster',
    frames: ['channels.join', 'channels.leave', 'channels.history'],
  },
  {
    v: 3,
    added: 'signed rosters, sealed bodies, and signals between machines that look for a direct link',
    frames: ['keys.put', 'signal', 'links', 'reach.check'],
  },
]
export const localVersions: readonly Version[] = [
  {
    v: 1,
    added: 'agents, messages and hosted programs',
    frames: [
      ...['register', 'send', 'wait', 'subscribe', 'mark', 'inbox', 'agents', 'whoami', 'status', 'trace'],
      ...['run', 'run.input', 'run.ack', 'run.resize', 'run.signal', 'reload', 'shutdown'],
    ],
  },
  {
    v: 2,
    added: 'history, dead letters, people and channels; an unknown request is `UNKNOWN_FRAME` and the connection lives',
    frames: [
      ...['history', 'read', 'dead', 'dead.retry', 'dead.drop'],
      ...['channels', 'channel.join', 'channel.leave', 'channel.history'],
    ],
  },
  {
    v: 3,
    added: 'how machines are linked: `ping`, `netcheck`, and links in `status`',
    frames: ['ping', 'netcheck'],
  },
]

/** Whether a program of this version knows the frame. */
export const isKnownIn = (versions: readonly Version[], version: number, frame: string): boolean =>
  versions.some(({ v, frames }) => v <= version && frames.includes(frame))

/** The control socket's version that this source speaks, and the oldest that it still does. */
export const CONTROL_VERSION = 3
export const OLDEST_CONTROL_VERSION = 1
/** The same of the local socket. */
export const LOCAL_VERSION = 3
export const OLDEST_LOCAL_VERSION = 1
