/** The SDK's public shapes. */
import type { Message } from '@agent-relay/protocol'
import type {
  HistoryEntry,
  LocalRequest,
  LocalRequestType,
  LocalResults,
  SentMessage,
} from '@agent-relay/protocol/local'

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

export type Receipt = { id: string; messages: SentMessage[] }

/** A message that arrived. It comes again, with `isRepeat`, until it is acknowledged. */
export type Incoming = Message & {
  isRepeat: boolean
  /** Tells the sender that this agent has it: `injected`, or `seen` when it was read. */
  ack(state?: 'injected' | 'seen'): Promise<void>
  /** Answers the sender, in the same thread. */
  reply(text: string, options?: SendOptions): Promise<Receipt>
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

export type Agent = {
  readonly name: string | null
  /** Resolves when the message is queued on this machine's disk. */
  send(to: string, text: string, options?: SendOptions): Promise<Receipt>
  /** Every message for this agent, oldest first. Ends with `close`; goes on over restarts of the daemon. */
  messages(): AsyncIterableIterator<Incoming>
  /** What this agent sent and received, newest last; long texts as excerpts. */
  history(options?: HistoryOptions): Promise<HistoryEntry[]>
  request<T extends LocalRequestType>(
    type: T,
    input: Omit<Extract<LocalRequest, { type: T }>, 'type' | 'id'>,
  ): Promise<LocalResults[T]>
  close(): Promise<void>
}
