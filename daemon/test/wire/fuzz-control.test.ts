/** The daemon's link against a control plane that has gone mad: nothing that it pushes or answers ends more than the connection. */
import { createPublicKey, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { controlFrames, machineFrames, type SignedKind, SOCKET_PATH } from '@agent-relay/protocol'
import { newKeyPair, privateKeyOf, signValue } from '@agent-relay/protocol/crypto'
import { casesOf, golden, goldenKey } from '@agent-relay/protocol/fixtures'
import { mutated, oddValue } from '@agent-relay/protocol/fixtures/mutate'
import { within } from '@agent-relay/protocol/fixtures/steady'
import fc from 'fast-check'
import { Server } from 'socket.io'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createControlLink } from '../../src/cloud/control-link.ts'
import { RelayError } from '../../src/errors.ts'

const NAMESPACE = '/machines,'
const http = createServer()
const io = new Server(http, { path: SOCKET_PATH, transports: ['websocket'] })
type Conn = { send(text: string): void; on(event: 'message', listener: (text: string) => void): void }
let serve: (conn: Conn) => void
beforeAll(async () => {
  io.engine.removeAllListeners('connection')
  io.engine.on('connection', (conn: Conn) => serve(conn))
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
})
afterAll(() => io.close())

const pushes = fc
  .constantFrom(
    ...Object.keys(controlFrames).flatMap((frame) =>
      casesOf('control', frame === 'signal' ? 'signal.in' : frame).map(({ value }) => ({ frame, value })),
    ),
  )
  .chain(({ frame, value }) =>
    fc.oneof(
      { weight: 20, arbitrary: mutated(value).map((odd) => `2${NAMESPACE}${JSON.stringify([frame, odd])}`) },
      { weight: 1, arbitrary: fc.constantFrom(`2${NAMESPACE}["${frame}"]`, `2${NAMESPACE}7["${frame}",null,1]`) },
    ),
  )
const control = newKeyPair('Ed25519')
const { org, machineId } = golden('control/challenge.usual') as { org: string; machineId: string }
const signed = (kind: SignedKind, value: unknown) => signValue(privateKeyOf('Ed25519', control), kind, org, value)
/** What the right key signed, and is nonsense all the same; and what is right, and signed by nobody. */
const signedPushes = fc
  .constantFrom(...casesOf('control', 'roster').filter(({ value }) => !Object.hasOwn(value as object, 'text')))
  .chain(({ value }) =>
    fc.oneof(
      mutated(value).map((odd) => signed('delta', odd)),
      mutated(signed('delta', value)),
      fc.constant(signed('roster', value)),
    ),
  )
  .map((odd) => `2${NAMESPACE}${JSON.stringify(['roster', odd])}`)
const statement = { org, version: 7, at: 1_767_225_600_000 }
const signedAnswers = fc
  .oneof(
    mutated(golden('control/roster.get.answer.people').value).map((odd) => signed('roster', odd)),
    mutated(statement).map((odd) => ({ at: 1, now: 1, fresh: signed('fresh', odd) })),
    mutated({ at: 1, now: 1, fresh: signed('fresh', statement) }),
  )
  .map((value) => `[${JSON.stringify({ ok: true, value })}]`)
const answers = fc
  .constantFrom(...Object.keys(machineFrames).flatMap((event) => casesOf('control', `${event}.answer`)))
  .chain(({ value }) => fc.oneof(mutated(value), oddValue).map((odd) => `[${JSON.stringify(odd)}]`))
const strange = fc.constantFrom(
  ...[
    '',
    '2',
    '9',
    '2/machines,',
    '2/machines,[5]',
    '2/machines,["__proto__",{}]',
    '3/machines,999[1]',
    '3/machines,[]',
  ],
  ...[
    '4/machines,{}',
    '4/machines,"x"',
    '0/machines,{"sid":"again"}',
    '51-/machines,["deliver",{"_placeholder":true,"num":0}]',
  ],
)

const WELCOME = golden('control/welcome.people')
const welcomeIn = (v: number, version: number): unknown => {
  const roster = { ...WELCOME.roster, version }
  return {
    ...WELCOME,
    v,
    ...(v < 3 ? { roster } : { controlKey: control.publicKey, roster: signed('roster', roster) }),
  }
}

test.each([2, 3])(
  'three thousand pushes and answers of version %d gone wrong: the link comes back, and what is right is still taken',
  async (v) => {
    const odd = v < 3 ? pushes : fc.oneof({ weight: 3, arbitrary: pushes }, signedPushes)
    const rounds = fc.sample(
      fc.record({
        said: fc.array(fc.oneof({ weight: 12, arbitrary: odd }, strange), { minLength: 10, maxLength: 10 }),
        answer: v < 3 ? answers : fc.oneof(answers, signedAnswers),
      }),
      { numRuns: 300, seed: fc.readConfigureGlobal()?.seed ?? Date.now() },
    )
    let round = 0
    let delivered: () => void = () => undefined
    const last = new Promise<void>((resolve) => {
      delivered = resolve
    })
    const marker = { ...golden('envelope/envelope.minimal'), body: 'the last of all' }
    serve = (conn) =>
      conn.on('message', (text) => {
        if (text.startsWith('0') && JSON.parse(text.slice(1 + NAMESPACE.length)).v !== v) {
          conn.send(
            `4${NAMESPACE}${JSON.stringify({ message: 'no', data: { code: 'VERSION_UNSUPPORTED', message: 'no' } })}`,
          )
          return
        }
        if (text.startsWith('0')) {
          conn.send(`0${NAMESPACE}{"sid":"s"}`)
          conn.send(`2${NAMESPACE}${JSON.stringify(['welcome', welcomeIn(v, newest)])}`)
          return
        }
        const [, id, event] = /^2\/machines,(\d+)\["([\w.]+)"/.exec(text) ?? []
        if (id === undefined || event === undefined) return
        if (round >= rounds.length) {
          if (event !== 'agents.sync') return
          conn.send(`3${NAMESPACE}${id}${JSON.stringify([{ ok: true, value: { results: [] } }])}`)
          conn.send(`2${NAMESPACE}${JSON.stringify(['deliver', { envelopes: [marker] }])}`)
          return
        }
        const { said, answer } = rounds[round++] as (typeof rounds)[number]
        for (const one of said) conn.send(one)
        conn.send(`3${NAMESPACE}${id}${answer}`)
      })
    const ends: unknown[] = []
    /** A right signature makes a mad version a true one, and there is no way back behind that. */
    let newest = WELCOME.roster.version as number
    const took = ({ version }: { version: number }): void => {
      newest = Math.max(newest, version)
    }
    let pinned: string | undefined
    const keep = (key: string): void => {
      pinned = key
    }
    const on = {
      ...{ up: () => undefined, delta: took, roster: took, returned: () => undefined },
      ...{ claims: () => undefined, unknown: () => undefined, fresh: () => undefined, signal: () => undefined },
      down: (error: RelayError) => void ends.push(error),
      refused: (error: RelayError) => {
        ends.push(error)
        // A mad `goodbye` may say that the key is dead: somebody links anew.
        link.stop()
        link.start()
      },
      deliver: (envelopes: { body: string }[]) => envelopes.some(({ body }) => body === marker.body) && delivered(),
    }
    const identity = {
      publicKey: createPublicKey(goldenKey).export({ format: 'jwk' }).x as string,
      sign: (text: string) => sign(null, Buffer.from(text), goldenKey).toString('base64url'),
    }
    const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
    const link = createControlLink({
      ...golden('control/auth.usual'),
      url,
      identity,
      on,
      trust: { org, machine: machineId, controlKey: () => pinned, pin: keep, known: () => undefined },
      seals: () => [],
      agents: () => [],
      random: () => 0,
    })
    link.start()
    await within(25_000, () => `round ${round} of ${rounds.length}`, last)
    link.stop()
    expect(ends.length).toBeGreaterThan(10)
    for (const error of ends) expect(error).toBeInstanceOf(RelayError)
    expect(pinned, 'a signed welcome was believed').toBe(v < 3 ? undefined : control.publicKey)
  },
  30_000,
)
