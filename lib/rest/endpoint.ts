/**
 * The frame of every REST endpoint: who may call it, how its body is read, what its errors look like. Handlers get a verb's
 * context and checked input, and return the value of the answer.
 */
import type { z } from 'zod'
import { getActor, requestFacts } from '#lib/auth/actor.ts'
import { assertProved, type Prover } from '#lib/auth/machine-proof.ts'
import { isSameOrigin } from '#lib/auth/origin.ts'
import { DomainError, isDomainError, isOutage, statusOf, toWireError } from '#lib/errors.ts'
import { getLog } from '#lib/log.ts'
import { type Ctx, createCtx, type MachineActor, type SystemActor, type UserActor } from '#lib/services/context.ts'
import { assertJson, parseJson, readBytes } from './read-json.ts'

type Who = {
  /** Nobody needs to be known yet. */
  anyone: SystemActor
  /** A machine key. */
  machine: MachineActor & { publicKey: string | null }
  /** The same, and the request is proved by the machine's identity: Agent-Relay-Proof. */
  proved: MachineActor & { publicKey: string | null }
  /** A browser session, from our own pages. */
  person: UserActor
  either: MachineActor | UserActor
}

type Frame<W extends keyof Who, I> = {
  who: W
  /** Reads the JSON body; without it the body is not read. */
  body?: z.ZodType<I>
  maxBytes?: number
  /** Of a proved request: who says that it is, by its checked input. The machine of the key by default. */
  by?: (input: I) => Prover
  /** Of a success. */
  status?: number
}

type Handler<W extends keyof Who, I> = (call: {
  ctx: Ctx<Who[W]>
  input: I
  params: Record<string, string>
  request: Request
}) => Promise<unknown>

type Route = (request: Request, context: { params: Promise<Record<string, string>> }) => Promise<Response>

/** A route handler for Next. A returned Response goes out as it is; any other value as JSON. */
export function endpoint<W extends keyof Who, I = undefined>(frame: Frame<W, I>, handler: Handler<W, I>): Route {
  return async (request, context) => {
    const facts = requestFacts(request.headers)
    try {
      const actor = await identify(frame.who, request)
      const params = await context.params
      if (frame.body) assertJson(request)
      const bytes = frame.body || frame.who === 'proved' ? await readBytes(request, frame.maxBytes) : Buffer.alloc(0)
      const input = frame.body ? parseJson(bytes, frame.body) : (undefined as I)
      if (frame.who === 'proved') {
        const { machineId, publicKey } = actor as Who['proved']
        assertProved(request, { body: bytes, keyOf: machineId, by: frame.by?.(input) ?? { machineId, publicKey } })
      }
      const value = await handler({ ctx: createCtx(actor, facts), input, params, request })
      return value instanceof Response ? value : json(value, frame.status ?? 200)
    } catch (error) {
      if (isOutage(error)) getLog().warn({ requestId: facts.requestId }, 'the database is away')
      else if (!isDomainError(error)) getLog().error({ err: error, requestId: facts.requestId }, 'request failed')
      const wire = toWireError(error)
      return json({ error: { ...wire, requestId: facts.requestId } }, statusOf(wire.code))
    }
  }
}

export const json = (value: unknown, status: number): Response =>
  Response.json(value, { status, headers: { 'cache-control': 'no-store' } })

async function identify<W extends keyof Who>(who: W, request: Request): Promise<Who[W]> {
  if (who === 'anyone') return { kind: 'system', label: 'anyone' } as Who[W]
  const actor = await getActor(request.headers)
  const isForMachine = who === 'machine' || who === 'proved'
  const isWanted = actor && (who === 'either' || isForMachine === (actor.kind === 'machine'))
  if (!isWanted)
    throw new DomainError(
      'UNAUTHENTICATED',
      who === 'person'
        ? 'Sign in first: this needs the session of a person.'
        : 'Send the key of a linked machine: Authorization: Bearer ar_live_… (agent-relay link makes one).',
    )
  if (actor.kind === 'user' && request.method !== 'GET' && !isSameOrigin(request.headers))
    throw new DomainError('FORBIDDEN', 'A change by browser session must come from this site, with its Origin header.')
  return actor as Who[W]
}
