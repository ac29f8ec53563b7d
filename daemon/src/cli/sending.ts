/** What send and reply have in common: the text, the options, and the words for what became of it. */
import { parseDuration } from '@agent-relay/protocol/duration'
import { MAX_BODY_BYTES } from '@agent-relay/protocol/limits'
import type { Connection } from '../client/connection.ts'
import { RelayError } from '../errors.ts'
import type { Options } from './command.ts'
import { EXIT, UsageError } from './exit.ts'
import type { Io } from './io.ts'
import { readStdinText } from './stdin.ts'

const DEFAULT_TIMEOUT_MS = 10_000
/** More recipients than this are counted instead of listed. */
const LISTED = 10

export const sendingOptions = {
  from: { kind: 'value', placeholder: 'NAME', help: 'speak as this agent of this machine' },
  ttl: { kind: 'value', placeholder: '5m', help: 'give up after this long (default: 7d, broadcasts 24h)' },
  wait: {
    kind: 'choice',
    choices: ['accepted', 'injected', 'seen'],
    ifBare: 'accepted',
    help: "wait until the recipient's machine has it, its agent has it, or its agent has read it",
  },
  timeout: { kind: 'value', placeholder: '10s', help: 'how long --wait waits' },
} as const satisfies Options

type Given = Partial<Record<keyof typeof sendingOptions, string | undefined>> & { json?: boolean }

/** What to do, read from the options of `command` before anything is connected. Throws UsageError for a bad duration. */
export function readSendingOptions(command: string, given: Given) {
  const duration = (option: string, text: string | undefined): number | undefined => {
    if (text === undefined) return undefined
    const ms = parseDuration(text)
    if (ms !== undefined) return ms
    throw new UsageError(
      `${option} takes a duration such as 500ms, 30s, 5m, 12h or 7d, and got ${JSON.stringify(text)}.`,
      command,
    )
  }
  return {
    ttlMs: duration('--ttl', given.ttl),
    timeoutMs: duration('--timeout', given.timeout) ?? DEFAULT_TIMEOUT_MS,
    wait: given.wait as 'accepted' | 'injected' | 'seen' | undefined,
    isJson: given.json === true,
  }
}

/** TEXT of the command line, or what stdin has. */
export async function bodyOf(command: string, text: string | undefined): Promise<string> {
  if (text === undefined && process.stdin.isTTY)
    throw new UsageError(`${command} needs TEXT, or - to read it from stdin.`, command)
  const body = text === undefined || text === '-' ? await readStdinText(MAX_BODY_BYTES) : text
  if (body.trim() === '')
    throw new RelayError('BAD_REQUEST', `The message is empty. Next: agent-relay ${command} --help`)
  return body
}

type Outgoing = { to: string; body: string; thread?: string | undefined; replyTo?: string | undefined }

/** Sends, waits when asked to, says what is known, and gives the exit code. */
export async function sendAndTell(
  connection: Connection,
  { to, body, thread, replyTo }: Outgoing,
  { io, ttlMs, timeoutMs, wait, isJson }: ReturnType<typeof readSendingOptions> & { io: Io },
): Promise<number> {
  const sent = await connection.request('send', {
    to,
    body,
    ...(thread && { thread }),
    ...(replyTo && { replyTo }),
    ...(ttlMs && { ttlMs }),
  })
  const ids = sent.messages.map((message) => message.id)
  const waited = wait && (await connection.request('wait', { ids, state: wait, timeoutMs }))
  const messages = waited?.messages ?? sent.messages
  const failed = messages.filter((message) => message.state === 'failed')
  if (isJson) io.printJson({ id: sent.id, messages, ...(waited && { isReached: waited.isReached }) })
  else io.print(sent.id)
  for (const { agent, machine, note } of messages.slice(0, LISTED)) io.say(`${agent} (${machine}) ${note}`)
  if (messages.length > LISTED) io.say(`and ${messages.length - LISTED} more`)
  if (failed.length > 0) {
    io.say(`Next: agent-relay dead retry ${failed[0]?.id}`)
    return EXIT.failure
  }
  if (!waited || waited.isReached) return EXIT.ok
  io.say(`Queued, but not ${wait} within ${timeoutMs / 1000} s. Next: agent-relay trace ${ids[0]}`)
  return EXIT.timeout
}
