/** The types of the published SDK, written out because the sources infer theirs from schemas that are not published. A test compares them. */

export type DeliveryState = 'queued' | 'stored' | 'accepted' | 'injected' | 'seen' | 'failed'

export type ConnectOptions = {
  /** Registers this name and speaks as it. Without it: AGENT_RELAY_NAME with its token, else the person. */
  name?: string
  /** Absolute path; AGENT_RELAY_HOME or ~/.agent-relay without it. */
  home?: string
  project?: string
  model?: string
  /** Program and version for logs, such as `sdk/0.1.0`. */
  client?: string
}

export type SendOptions = {
  thread?: string
  replyTo?: string
  /** Time to live: milliseconds, or `5m`, `2h`, `7d`. */
  ttl?: number | string
  /** Resolves when the message came this far, and rejects with TIMEOUT after `timeoutMs` (10 s). */
  wait?: 'stored' | 'accepted' | 'injected' | 'seen'
  timeoutMs?: number
}

export type SentMessage = {
  id: string
  agent: string
  machine: string
  state: DeliveryState
  /** Honest words for a person: `queued: Carol is offline, last seen 3 h ago`. */
  note: string
}

export type Receipt = { id: string; messages: SentMessage[] }

export type Message = {
  id: string
  from: string
  fromMachine: string
  fromPerson?: string | undefined
  fromProject?: string | undefined
  to: string
  /** The address as the sender wrote it when it named more than this agent, such as `*:*`. */
  via?: string | undefined
  thread?: string | undefined
  replyTo?: string | undefined
  /** The sender's wall clock in ms since 1970; for display. */
  ts: number
  body: string
}

export type HistoryOptions = {
  /** Words that must all be in the text; quotes hold a phrase together, and the last word may be a beginning. */
  search?: string
  /** An agent, a channel as `#name` or a person as `@name`. */
  with?: string
  thread?: string
  /** Only what is older than the message with this id. */
  before?: string
  /** The newest so many, at most 1000 (50). */
  limit?: number
}

export type HistoryEntry = {
  message: Message
  toMachine: string
  /** `out` went to another machine, `in` came from one, `local` stayed here. */
  way: 'out' | 'in' | 'local'
  state: DeliveryState
  /** Why it waits or failed, in words for a person. */
  note: string | null
  /** ms since 1970 on this machine: queued or accepted here. */
  at: number
  /** Of the whole text in UTF-8. */
  sizeBytes: number
  isExcerpt: boolean
  /** Where in `body` what was searched for stands first, in UTF-16 units. */
  match?: { from: number; to: number } | undefined
  /** The dead letter in whose place it was sent, and the message that was sent in its own. */
  retryOf?: string | undefined
  retriedAs?: string | undefined
}

/** A message that arrived. It comes again, with `isRepeat`, until it is acknowledged. */
export type Incoming = Message & {
  isRepeat: boolean
  /** Tells the sender that this agent has it: `injected`, or `seen` when it was read. */
  ack(state?: 'injected' | 'seen'): Promise<void>
  /** Answers the sender, in the same thread. */
  reply(text: string, options?: SendOptions): Promise<Receipt>
}

export type Agent = {
  readonly name: string | null
  /** Resolves when the message is queued on this machine's disk. */
  send(to: string, text: string, options?: SendOptions): Promise<Receipt>
  /** Every message for this agent, oldest first. Ends with `close`; goes on over restarts of the daemon. */
  messages(): AsyncIterableIterator<Incoming>
  /** What this agent sent and received, newest last; long texts as excerpts. */
  history(options?: HistoryOptions): Promise<HistoryEntry[]>
  /** Any request of the local protocol: see dist/schema. */
  // biome-ignore lint/suspicious/noExplicitAny: the result's shape is the request's, in dist/schema
  request(type: string, input: Record<string, unknown>): Promise<any>
  close(): Promise<void>
}

/** What every call rejects with: a stable code, and one sentence that ends with the next step. */
export interface RelayError extends Error {
  readonly code: string
  readonly details: Record<string, unknown> | undefined
}

/** Connects to the daemon of this home. Rejects with DAEMON_DOWN, NAME_TAKEN and the like, each with what to do next. */
export function connect(options?: ConnectOptions): Promise<Agent>
