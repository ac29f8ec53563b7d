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
