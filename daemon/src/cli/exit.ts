/** Exit codes are public: docs/cli.md. */
import type { ErrorCode } from '@agent-relay/protocol'

export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  notLinked: 3,
  daemonDown: 4,
  timeout: 5,
  policy: 6,
  planLimit: 7,
} as const

const byCode: Partial<Record<ErrorCode, number>> = {
  BAD_REQUEST: EXIT.usage,
  NAME_INVALID: EXIT.usage,
  NOT_LINKED: EXIT.notLinked,
  DAEMON_DOWN: EXIT.daemonDown,
  TIMEOUT: EXIT.timeout,
  POLICY_REFUSED: EXIT.policy,
  PLAN_LIMIT: EXIT.planLimit,
}

export const exitCodeOf = (code: ErrorCode): number => byCode[code] ?? EXIT.failure

/** A command line that cannot be read; the message names what is wrong with it. */
export class UsageError extends Error {
  /** The command whose help is the next step, when it was understood so far. */
  readonly command: string | undefined
  constructor(message: string, command?: string) {
    super(message)
    this.name = 'UsageError'
    this.command = command
  }
}
