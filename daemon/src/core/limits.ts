/** Every number of the delivery protocol with its reason. Times in ms, sizes in bytes. */

/** First retry after a second, doubling to half a minute, each ±50 %: protocol.md, Delivery 4. */
export const RETRY_FIRST_MS = 1_000
export const RETRY_MAX_MS = 30_000
/** What the cloud keeps for a sleeping machine is asked about once a minute. */
export const REPROBE_MS = 60_000

/** Per stream in flight; beyond it the sender waits for acknowledgements. */
export const WINDOW_MESSAGES = 256
export const WINDOW_BYTES = 4 * 1024 * 1024

/** Under way to one machine over all streams, whichever path is up: what a peer that stopped reading costs at most. */
export const LINK_BYTES = 8 * 1024 * 1024
/** What one stream may send before the next one has its turn: the largest body, so that a turn always gets something. */
export const SHARE_BYTES = 256 * 1024

/** How far ahead a stream's sent mark reaches when it needs a commit of its own; a window, so at most one a window. */
export const SENT_AHEAD = 256
/** What Postgres takes as a sequence number, and more than a stream gets to in a lifetime. */
export const MAX_SEQ = 0x7fffffff

/** Out of order at the recipient, per stream; what does not fit is dropped and comes again. */
export const HOLD_MESSAGES = 64
export const HOLD_BYTES = 4 * 1024 * 1024
/** The same over all streams, so that a peer with thousands of streams cannot fill the memory. */
export const HOLD_ALL_MESSAGES = 4_096
export const HOLD_ALL_BYTES = 64 * 1024 * 1024
/** A relay may reorder for a moment; after this a missing message is asked for. */
export const GAP_MS = 500
/** Asked again after a second, doubling to ten minutes, as long as nothing comes of it. */
export const GAP_MAX_MS = 600_000

/** Unaccepted messages to other machines, over all streams. New ones are refused, old ones never dropped. */
export const OUTBOX_MESSAGES = 10_000
export const OUTBOX_BYTES = 256 * 1024 * 1024

/** Accepted and not handed over, per agent. A full inbox takes no more: senders keep theirs and try again. */
export const INBOX_MESSAGES = 10_000

/** Pushed to an agent's receiver and not marked yet: a reader that stops reading costs no more memory than this. */
export const PUSH_MESSAGES = 256
export const PUSH_BYTES = 1024 * 1024

/** How long `register` waits for the control plane's word on a name before it answers "pending". */
export const CLAIM_WAIT_MS = 3_000

/** Receipts in memory that wait for their answer, a few MiB. The rows of the others still owe theirs at the next start. */
export const RECEIPTS = 10_000
/** An answer takes a round trip and HEARD_MS, so 5 s are long; then doubling, to ten minutes. */
export const RECEIPT_FIRST_MS = 5_000
export const RECEIPT_MAX_MS = 600_000
/**
 * Rounds to a machine that is there and does not answer, about an hour together: longer than a full disk or a restart takes,
 * and an end for senders of version 1, which never answer.
 */
export const RECEIPT_TRIES = 10
/** Receipts that came are answered together after this: longer than a lazy commit waits, far shorter than anybody asks again. */
export const HEARD_MS = 50

/** How many failures, and settled dead letters, are remembered past the disk: far more than are under way at a time. */
export const FAILED_LATELY = 4_096
