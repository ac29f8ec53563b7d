/**
 * Which versions of the wire exist and what each added; without a schema library, for programs that must start fast.
 * Whoever opens a connection asks for its newest version; when that is refused as VERSION_UNSUPPORTED, for the one before, at
 * once. Whoever answers speaks its newest and the one before, and says nothing that the agreed version does not know.
 */
type Version = { v: number; added: string }

/** Oldest first; the last is this source's own. docs/protocol.md repeats both tables, and a test compares them. */
export const controlVersions = [
  { v: 1, added: 'names and rosters, relayed envelopes, acknowledgements, gaps, receipts and traces' },
  { v: 2, added: 'answered receipts (`heard`), people, channels, and the control plane as a machine of the roster' },
] as const satisfies Version[]
export const localVersions = [
  { v: 1, added: 'the requests from `register` to `shutdown`' },
  { v: 2, added: 'an unknown request is answered by `UNKNOWN_FRAME` and the connection lives; people and channels' },
] as const satisfies Version[]

/** The control socket's version that this source speaks, and the oldest that it still does. */
export const CONTROL_VERSION = 2
export const OLDEST_CONTROL_VERSION = 1
/** The same of the local socket. */
export const LOCAL_VERSION = 2
export const OLDEST_LOCAL_VERSION = 1
