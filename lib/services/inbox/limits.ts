/** Every number of inboxes and channels with its reason. */

/** Unread by one person. A full inbox takes no more: senders keep theirs and try again, as with an agent's. */
export const INBOX_MESSAGES = 5_000
export const INBOX_BYTES = 64 * 1024 * 1024

/** A channel's messages that its retention has not thinned out yet; beyond it senders keep theirs. */
export const CHANNEL_MESSAGES = 110_000
/** What retention leaves of a channel's history, newest first. */
export const CHANNEL_KEPT_MESSAGES = 100_000
/** Read messages and channels' histories are forgotten after a year. */
export const HISTORY_DAYS = 365

/** More channels than people can tell apart; each is in every machine's roster. */
export const CHANNELS = 500
/** A message to a channel is a copy for each member. */
export const MEMBERS = 500
export const TOPIC_CHARS = 200

/** A page of a conversation. */
export const PAGE = 50
/** The beginning of a message that a list shows. */
export const PREVIEW_CHARS = 140
/** Conversations that a list shows, newest first. */
export const CONVERSATIONS = 1_000
