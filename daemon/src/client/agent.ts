/** `connect({ name })`: one agent's connection, its messages as an async iterable. */
import type { Message } from '@agent-relay/protocol'
import { RelayError } from '../errors.ts'
import { readEnvironment } from '../home/env.ts'
import { homePaths } from '../home/paths.ts'
import { readToken, readTokenFile } from '../home/tokens.ts'
import { type Connection, openConnection } from './connection.ts'
import { createInbox } from './inbox.ts'
import type { Agent, ConnectOptions, Incoming, Receipt, SendOptions } from './types.ts'

/** First wait before a new try to reach a daemon that went, doubling to the last. */
const RETRY_FIRST_MS = 50
const RETRY_MAX_MS = 2_000

/** Connects to the daemon of this home. Rejects with DAEMON_DOWN, NAME_TAKEN and the like, each with what to do next. */
export async function connect(options: ConnectOptions = {}): Promise<Agent> {
  const environment = readEnvironment()
  const paths = homePaths(options.home ?? environment.home)
  const inbox = createInbox()
  let isClosed = false
  let wire = await open()

  async function open(): Promise<Connection> {
    const opened = await openConnection({
      socket: paths.socket,
      client: options.client ?? 'sdk/0.1.0',
      agent: options.name === undefined ? proofOf() : undefined,
      onPush(push) {
        if (push.type === 'deliver') inbox.put(incoming(push.message, push.redelivered))
      },
    })
    const { name, project, model } = options
    if (name !== undefined)
      await opened.request('register', { name, ...(project && { project }), ...(model && { model }), client: 'sdk' })
    if (inbox.isRead) await opened.request('subscribe', {})
    opened.closed.then(reconnect)
    return opened
  }

  function proofOf(): { name: string; token: string } | undefined {
    const name = environment.agentName
    if (name === undefined) return undefined
    const token = environment.tokenFile ? readTokenFile(environment.tokenFile) : readToken(paths, name)
    return token === undefined ? undefined : { name, token }
  }

  async function reconnect(): Promise<void> {
    for (let delay = RETRY_FIRST_MS; !isClosed; delay = Math.min(RETRY_MAX_MS, delay * 2)) {
      try {
        wire = await open()
        return
      } catch (error) {
        // A name that another machine took meanwhile does not come back by trying.
        if (!(error instanceof RelayError) || error.code !== 'DAEMON_DOWN') {
          inbox.end(error)
          return
        }
      }
      await new Promise((resolve) => setTimeout(resolve, delay * (0.5 + Math.random())).unref())
    }
  }

  async function send(to: string, text: string, more: SendOptions = {}): Promise<Receipt> {
    const { thread, replyTo, ttl, wait, timeoutMs = 10_000 } = more
    const sent = await wire.request('send', {
      to,
      body: text,
      ...(thread !== undefined && { thread }),
      ...(replyTo !== undefined && { replyTo }),
      ...(ttl !== undefined && { ttlMs: parseTtl(ttl) }),
    })
    if (wait === undefined) return sent
    const ids = sent.messages.map((message) => message.id)
    const waited = await wire.request('wait', { ids, state: wait, timeoutMs })
    if (waited.isReached) return { id: sent.id, messages: waited.messages }
    const short = waited.messages.find((message) => message.state === 'failed') ?? waited.messages[0]
    throw new RelayError('TIMEOUT', `Message ${sent.id} is not ${wait} after ${timeoutMs} ms; ${short?.note ?? ''}`, {
      details: { ...sent, messages: waited.messages },
    })
  }

  function incoming(message: Message, isRepeat: boolean): Incoming {
    return {
      ...message,
      isRepeat,
      async ack(state = 'injected') {
        await wire.request('mark', { ids: [message.id], state })
      },
      reply: (text, more = {}) =>
        send(message.from, text, {
          replyTo: message.id,
          ...(message.thread !== undefined && { thread: message.thread }),
          ...more,
        }),
    }
  }

  return {
    get name() {
      return options.name ?? wire.agent
    },
    send,
    messages() {
      const isFirst = !inbox.isRead
      const iterator = inbox.read()
      if (isFirst) wire.request('subscribe', {}).catch((error: unknown) => isClosed || inbox.end(error))
      return iterator
    },
    history: async (options = {}) => (await wire.request('history', options)).entries,
    request: (type, input) => wire.request(type, input),
    async close() {
      isClosed = true
      inbox.end(undefined)
      wire.close()
      await wire.closed
    },
  }
}

const UNIT_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Milliseconds of `5m`, `2h`, `7d`, `30s`. Throws BAD_REQUEST for anything else. */
function parseTtl(text: number | string): number {
  if (typeof text === 'number') return text
  const [, count, unit = ''] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text) ?? []
  if (count !== undefined) return Number(count) * (UNIT_MS[unit] ?? 1)
  throw new RelayError('BAD_REQUEST', `${JSON.stringify(text)} is no time to live: write it like 30s, 5m, 2h or 7d.`)
}
