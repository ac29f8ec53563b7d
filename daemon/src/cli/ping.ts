import type { PingView } from '@agent-relay/protocol/local'
import type { z } from 'zod'
import { defineCommand } from './command.ts'
import { withDaemon } from './daemon-connection.ts'
import { EXIT, UsageError } from './exit.ts'
import type { Io } from './io.ts'
import { addressOf } from './link-words.ts'
import { latency } from './times.ts'

type Ping = z.infer<typeof PingView>

const DEFAULT_COUNT = 10
const MAX_COUNT = 1000
const DEFAULT_TIMEOUT_MS = 5_000
/** From one try to the next. */
const EVERY_MS = 1_000

export const command = defineCommand({
  name: 'ping',
  summary: 'whether a machine answers, and by which path',
  usage: 'NAME',
  options: {
    count: { kind: 'value', placeholder: 'N', short: 'c', help: `at most N tries (default ${DEFAULT_COUNT})` },
    timeout: { kind: 'value', placeholder: '5s', help: 'how long a try waits for its answer, at most 5s' },
  },
  hasJson: true,
  details:
    'NAME is an agent or a machine. One try a second, which also makes both machines look for a direct link; ends at the first answer\nby one. Exit 1 when no direct link came up, or nobody answered. With --json every try is one line of JSON.',
  examples: ['agent-relay ping Utils', 'agent-relay ping carol-lt -c 3'],
  async run({ args: [name = ''], options }, io) {
    const count = countOf(options.count)
    const timeoutMs = await timeoutOf(options.timeout)
    const show = options.json ? showJson(io) : showLine(io)
    return withDaemon(
      async (connection) => {
        let last: Ping | undefined
        let answered = 0
        for (let n = 1; n <= count; n++) {
          const next = pause(n === count ? 0 : EVERY_MS)
          last = await within(connection.request('ping', { name }), timeoutMs, { name, before: last })
          show(last, n)
          if (last.path === 'direct' || last.path === 'local') return EXIT.ok
          if (last.path !== null) answered++
          await next
        }
        if (last !== undefined) io.say(verdict(last, { answered, count }))
        return EXIT.failure
      },
      { asPerson: true },
    )
  },
})

/** `pong from Utils@carol-lt via relay in 61ms [inbox ok, agent idle]` */
export function pongLine(pong: Ping): string {
  const who = pong.agent === null ? pong.machine : `${pong.agent}@${pong.machine}`
  const way = pong.path === 'direct' ? `direct ${addressOf(pong)}`.trimEnd() : pong.path
  const took = pong.latencyMs === null ? '' : ` in ${latency(pong.latencyMs)}`
  const facts = [
    pong.inbox === null ? undefined : `inbox ${pong.inbox}`,
    pong.agent === null || (pong.status === null && pong.inbox === null)
      ? undefined
      : `agent ${pong.status ?? 'not registered there'}`,
  ].filter((fact) => fact !== undefined)
  return `pong from ${who} via ${way}${took}${facts.length === 0 ? '' : ` [${facts.join(', ')}]`}`
}

/** The last sentence when no direct link came up. */
export function verdict(last: Ping, { answered, count }: { answered: number; count: number }): string {
  const who = last.agent === null ? last.machine : `${last.agent}@${last.machine}`
  const tries = count === 1 ? 'one try' : `${count} tries`
  const because = last.why === '' ? '' : `: ${last.why.replace(/\.$/, '')}`
  return answered === 0
    ? `${who} did not answer in ${tries}${because}. Next: agent-relay status`
    : `No direct link to ${last.machine} came up in ${tries}, so messages go by relay${because}. Next: agent-relay netcheck`
}

const showJson =
  (io: Io) =>
  (ping: Ping, n: number): void =>
    io.printJson({ n, ...ping })

const showLine =
  (io: Io) =>
  (ping: Ping): void =>
    ping.path === null ? io.say(`no answer from ${ping.machine}: ${ping.why}`) : io.print(pongLine(ping))

function countOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_COUNT
  const count = Number(text)
  if (/^\d+$/.test(text) && count >= 1 && count <= MAX_COUNT) return count
  throw new UsageError(`--count takes a number from 1 to ${MAX_COUNT}, and got ${JSON.stringify(text)}.`, 'ping')
}

async function timeoutOf(text: string | undefined): Promise<number> {
  if (text === undefined) return DEFAULT_TIMEOUT_MS
  const { parseDuration } = await import('@agent-relay/protocol/duration')
  const ms = parseDuration(text)
  if (ms !== undefined && ms > 0 && ms <= DEFAULT_TIMEOUT_MS) return ms
  throw new UsageError(`--timeout takes a duration up to 5s, such as 500ms, and got ${JSON.stringify(text)}.`, 'ping')
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** The daemon's answer, or that there was none in time. */
function within(
  asked: Promise<Ping>,
  timeoutMs: number,
  { name, before }: { name: string; before: Ping | undefined },
): Promise<Ping> {
  return new Promise((resolve, reject) => {
    const silence: Ping = {
      ...{ machine: before?.machine ?? name, agent: before?.agent ?? null, path: null, kind: null, remote: null },
      ...{ latencyMs: null, inbox: null, status: null, why: `no answer within ${latency(timeoutMs)}` },
    }
    // The daemon itself gives up after 5 s; a little later only its own silence is left.
    const timer = setTimeout(() => resolve(silence), timeoutMs < DEFAULT_TIMEOUT_MS ? timeoutMs : timeoutMs + 2_000)
    asked.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
