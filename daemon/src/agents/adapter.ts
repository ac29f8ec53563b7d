/** What an adapter does for one kind of client. Exactly one inbound route per session: docs/agents.md. */
import type { AgentStatus, Message } from '@agent-relay/protocol'
import type { Program } from './program.ts'
import type { RelayEvent } from './relay-reader.ts'

type Capabilities = {
  /** A message starts the client's next turn when it is idle. */
  wakesIdle: boolean
  /** A message can reach it in the middle of a turn. */
  reachesMidTurn: boolean
  /** It has a place for text that is not its user's. */
  hasUntrustedSlot: boolean
  /** What a person has half typed stays as it is. */
  keepsDraft: boolean
}

/** What is known to have happened to a batch, and in which words. Never stronger than what was observed. */
type Evidence = { state: 'injected' | 'seen'; note: string }

type Incoming = { message: Message; isRepeat: boolean }

export type AdapterKind = {
  /** As it is shown: `line`, `claude`. */
  client: string
  capabilities: Capabilities
  /** Whether this command line is this client. */
  detect(command: readonly string[]): boolean
  /** Begins a session with a program that was just started. */
  attach(program: Program, outbound: (event: RelayEvent) => void): Adapter
}

export type Adapter = {
  /** The client's own identity of this session. */
  identify(): { client: string; pid: number }
  state(): Exclude<AgentStatus, 'offline'>
  /** Hands a batch over, in order. Resolves on evidence; stays open while the client cannot take it; rejects when it never will. */
  deliver(batch: readonly Incoming[]): Promise<Evidence>
  /** One line of ours to the client, when it can take it. */
  notify(line: string): void
  /** What the program printed. */
  output(data: Buffer): void
  /** What a person typed, before the program gets it. */
  typed(data: Buffer): void
  /** The program ended: says what was left half said. */
  end(): void
}
