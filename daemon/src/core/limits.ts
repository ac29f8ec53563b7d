/** Every number of the delivery protocol with its reason. Times in ms, sizes in bytes. */

/** First retry after a second, doubling to half a minute, each ±50 %: protocol.md, Delivery 4. */
export const RETRY_FIRST_MS = 1_000
export const RETRY_MAX_MS = 30_000
/** What the cloud keeps for a sleeping machine is asked about once a minute. */
export const REPROBE_MS = 60_000

/** Per stream in flight; beyond it the sender waits for acknowledgements. */
export const WINDOW_MESSAGES = 256
export const WINDOW_BYTES = 4 * 1024 * 1024

/** How far ahead a stream's sent mark reaches when it needs a commit of its own; a window, so at most one a window. */
export const SENT_AHEAD = 256

/** Out of order at the recipient, per stream; what does not fit is dropped and comes again. */
export const HOLD_MESSAGES = 64
export const HOLD_BYTES = 4 * 1024 * 1024
/** A relay may reorder for a moment; after this a missing message is asked for. */
export const GAP_MS = 500

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

/** Receipts kept while the link is down. */
export const RECEIPTS = 10_000
