/** What the daemon needs of whoever hosts programs under agents' names; implemented by agents/, called by the local socket. */
import type { AgentStatus, Message } from '@agent-relay/protocol'
import type { LocalRequest, LocalResults } from '@agent-relay/protocol/local'

type Run = Extract<LocalRequest, { type: 'run' }>
type Send = Extract<LocalRequest, { type: 'send' }>

/** A run as its client asked for it, under a name that is already registered. */
export type RunSpec = Omit<Run, 'type' | 'id'> & {
  home: string
  /** The agent's token, 0600: its path goes to the program's environment, its content nowhere. */
  tokenFile: string
}

export type OutboundSend = Pick<Send, 'to' | 'body' | 'thread' | 'replyTo' | 'ttlMs'>

/** What a hosted program does, told to the daemon. */
export type RunEvents = {
  output(stream: 'stdout' | 'stderr', data: Buffer): void
  /** The last event: the program and everything it started in its process group are gone. */
  exit(code: number | null, signal: string | null): void
  /** The program said this. Resolves when it is queued on disk; rejects with the RelayError that the program must be told. */
  send(message: OutboundSend): Promise<LocalResults['send']>
  status(status: Exclude<AgentStatus, 'offline'>): void
}

export type RunSession = {
  readonly pid: number
  /** Resolves when the program's side took the bytes. */
  input(data: Buffer, isEnd: boolean): Promise<void>
  /** So many bytes of output reached the client. */
  ack(bytes: number): void
  resize(cols: number, rows: number): void
  signal(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'SIGKILL'): void
  /**
   * Hands one message to the program, one call at a time and in order. Resolves on evidence only; rejects when the
   * program is gone, and the message then waits for the agent's next session.
   */
  deliver(message: Message, isRepeat: boolean): Promise<'injected' | 'seen'>
  /** Tells the program in-band, as soon as it can take it, what became of something it sent: one line, `[relay] ` is put before it. */
  notify(line: string): void
  /** Its terminal is gone or its name is: hangs up, and kills what is left 2 s later. Safe to call twice; `exit` follows. */
  end(): void
}

export type RunHost = {
  /** Throws a RelayError when the command cannot be started. */
  start(spec: RunSpec, events: RunEvents): RunSession
  /** Ends every program; resolves when none is left. */
  stop(): Promise<void>
}
