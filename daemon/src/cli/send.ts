import { parseDuration } from '@agent-relay/protocol/duration'
import { MAX_BODY_BYTES } from '@agent-relay/protocol/limits'
import { RelayError } from '../errors.ts'
import { defineCommand } from './command.ts'
import { withDaemon } from './daemon-connection.ts'
import { EXIT, UsageError } from './exit.ts'
import { readStdinText } from './stdin.ts'

const DEFAULT_TIMEOUT_MS = 10_000
/** More recipients than this are counted instead of listed. */
const LISTED = 10

export const command = defineCommand({
  name: 'send',
  summary: 'send a message to an agent',
  usage: 'TO [TEXT|-]',
  options: {
    from: { kind: 'value', placeholder: 'NAME', help: 'speak as this agent of this machine' },
    thread: { kind: 'value', placeholder: 'ID', help: 'the conversation it belongs to' },
    ttl: { kind: 'value', placeholder: '5m', help: 'give up after this long (default: 7d, broadcasts 24h)' },
    wait: {
      kind: 'choice',
      choices: ['accepted', 'injected', 'seen'],
      ifBare: 'accepted',
      help: "wait until the recipient's machine has it, its agent has it, or its agent has read it",
    },
    timeout: { kind: 'value', placeholder: '10s', help: 'how long --wait waits' },
  },
  hasJson: true,
  details:
    "TO is Name, project:Name, project:*, * (your project), *:* (everybody), '#channel' or @person (in the dashboard).\nWithout TEXT, or with -, the text is read from stdin.\nReturns once the message is on this disk; prints its id. Exit 5: queued, but not as far as --wait asked within --timeout.",
  examples: [
    'agent-relay send Bob "the API is up on port 4000"',
    'git diff | agent-relay send Bob - --wait=injected --timeout 1m',
  ],
  async run({ args: [to = '', text], options }, io) {
    const wait = options.wait as 'accepted' | 'injected' | 'seen' | undefined
    const ttlMs = duration('--ttl', options.ttl)
    const timeoutMs = duration('--timeout', options.timeout) ?? DEFAULT_TIMEOUT_MS
    const body = await bodyOf(text)
    return withDaemon(
      async (connection) => {
        const { thread } = options
        const sent = await connection.request('send', { to, body, ...(thread && { thread }), ...(ttlMs && { ttlMs }) })
        const ids = sent.messages.map((message) => message.id)
        const waited = wait && (await connection.request('wait', { ids, state: wait, timeoutMs }))
        const messages = waited?.messages ?? sent.messages
        const failed = messages.filter((message) => message.state === 'failed')
        if (options.json) io.printJson({ id: sent.id, messages, ...(waited && { isReached: waited.isReached }) })
        else io.print(sent.id)
        for (const { agent, machine, note } of messages.slice(0, LISTED)) io.say(`${agent} (${machine}) ${note}`)
        if (messages.length > LISTED) io.say(`and ${messages.length - LISTED} more`)
        if (failed.length > 0) return EXIT.failure
        if (!waited || waited.isReached) return EXIT.ok
        io.say(`Queued, but not ${wait} within ${timeoutMs / 1000} s. Next: agent-relay trace ${ids[0]}`)
        return EXIT.timeout
      },
      { from: options.from },
    )
  },
})

function duration(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const ms = parseDuration(text)
  if (ms === undefined)
    throw new UsageError(
      `${option} takes a duration such as 500ms, 30s, 5m, 12h or 7d, and got ${JSON.stringify(text)}.`,
      'send',
    )
  return ms
}

async function bodyOf(text: string | undefined): Promise<string> {
  if (text === undefined && process.stdin.isTTY)
    throw new UsageError('send needs TEXT, or - to read it from stdin.', 'send')
  const body = text === undefined || text === '-' ? await readStdinText(MAX_BODY_BYTES) : text
  if (body.trim() === '') throw new RelayError('BAD_REQUEST', 'The message is empty. Next: agent-relay send TO TEXT')
  return body
}
