/** Every frame is read by its schema, and every frame is answered: with a value, or with an error that says what to do. */
import { type Answer, CONTROL_VERSION, errorIn, type MachineEvents, type WireError } from '@agent-relay/protocol'
import type { z } from 'zod'
import { DomainError, toWireError } from '#lib/errors.ts'
import type { Log } from './log.ts'

type Handler<I, O> = (input: I) => Promise<O> | O
type Register = {
  on(event: string, listener: (...args: unknown[]) => void): unknown
  onAny(listener: (event: unknown, ...args: unknown[]) => void): unknown
}

/** Frames of one kind that one socket may have unanswered; the next are refused until some are. */
const maxOpen = 64

export type Rate = { perSecond: number; burst: number }

/** A bucket of uses that fills up over time; `take` says whether there were enough in it. */
function bucket({ perSecond, burst }: Rate): (count: number) => boolean {
  let level = burst
  let at = performance.now()
  return (count) => {
    const now = performance.now()
    level = Math.min(burst, level + ((now - at) / 1000) * perSecond)
    at = now
    if (level < count) return false
    level -= count
    return true
  }
}

type AnswerOptions<I> = {
  rate?: Rate
  cost?: (input: I) => number
  /** Says of the usual input that it is certainly one, quicker than the schema. */
  isPlain?: (input: unknown) => input is I
}

export type Answering = {
  answer<I, O>(
    event: keyof MachineEvents | 'subscribe',
    schema: z.ZodType<I>,
    handler: Handler<I, O>,
    options?: AnswerOptions<I>,
  ): void
}

/** Frames that are not messages: names, states, traces. A daemon with 500 agents that all change stays far below. */
const usual: Rate = { perSecond: 50, burst: 500 }

/** An event that nobody answers is told once a socket, and at most so many of them. */
const maxUnknown = 16

/** `speaks` is the version in which this socket's errors are told. */
export function answering(socket: Register, log: Log, speaks = CONTROL_VERSION): Answering {
  const known = new Set<string>()
  const unknown = new Set<string>()
  socket.onAny((given, ...args) => {
    // Socket.IO takes a number for a name. What is thrown here would end the process.
    const event = String(given)
    if (known.has(event)) return
    const reply = args.at(-1)
    if (typeof reply === 'function') reply({ ok: false, error: errorIn(speaks, unknownFrame(event)) })
    else if (unknown.size < maxUnknown && !unknown.has(event)) {
      unknown.add(event)
      log.info({ event: event.slice(0, 40) }, 'a frame of a kind that is not known here was passed over')
    }
  })
  return {
    answer(event, schema, handler, { rate = usual, cost = () => 1, isPlain } = {}) {
      known.add(event)
      const take = bucket(rate)
      let open = 0
      socket.on(event, async (...args) => {
        // Socket.IO puts the way to answer last, behind however many arguments came, also behind none.
        const reply = args.at(-1)
        const raw = args[0] === reply ? undefined : args[0]
        const send = (answer: Answer<unknown>) => {
          if (typeof reply !== 'function') return
          reply(answer.ok ? answer : { ok: false, error: errorIn(speaks, answer.error) })
        }
        const input = isPlain?.(raw) ? { success: true as const, data: raw } : schema.safeParse(raw)
        if (!input.success) return send({ ok: false, error: badFrame(event, input.error) })
        if (open >= maxOpen || !take(cost(input.data))) return send({ ok: false, error: tooMany(event) })
        open++
        try {
          send({ ok: true, value: await handler(input.data) })
        } catch (error) {
          if (!(error instanceof DomainError)) log.error({ err: error, event }, 'frame failed')
          send({ ok: false, error: toWireError(error) })
        } finally {
          open--
        }
      })
    },
  }
}

function badFrame(event: string, error: z.ZodError): WireError {
  const issue = error.issues[0]
  const where = issue && issue.path.length > 0 ? ` at ${issue.path.join('.')}` : ''
  return { code: 'BAD_REQUEST', message: `The ${event} frame is malformed${where}: ${issue?.message ?? 'unreadable'}.` }
}

const tooMany = (event: string): WireError => ({
  code: 'RATE_LIMITED',
  message: `Too many ${event} frames at once. Wait a moment and send again.`,
})

const unknownFrame = (event: string): WireError => ({
  code: 'UNKNOWN_FRAME',
  message: `This control plane knows no frame ${JSON.stringify(event.slice(0, 40))}. Install the agent-relay that it serves at /agent-relay.tgz`,
})
