/**
 * The gateway against everything that is no frame, or nearly one, at the level of frames and below Socket.IO: each ends in a
 * typed error or a close within a deadline, nothing is left behind, and two healthy machines beside it talk on.
 */
import { sign } from 'node:crypto'
import {
  answerOf,
  type Challenge,
  controlProofText,
  MACHINES_NAMESPACE,
  machineFrames,
  WireError,
} from '@agent-relay/protocol'
import { casesOf, golden } from '@agent-relay/protocol/fixtures'
import { mutated, oddValue } from '@agent-relay/protocol/fixtures/mutate'
import { standing, within } from '@agent-relay/protocol/fixtures/steady'
import { readPacket } from '@agent-relay/protocol/transcripts'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import { createGoldenOrg, type GoldenOrg } from '#lib/testing/golden.ts'
import {
  connectMachine,
  envelopeOf,
  type LinkedMachine,
  linkMachine,
  type MachineClient,
  startGateway,
  type TestGateway,
} from '#lib/testing/machines.ts'
import { openRaw, type RawSocket } from '#lib/testing/raw-socket.ts'

const DEADLINE_MS = 10_000

let database: TestDatabase
let gateway: TestGateway
let org: GoldenOrg
const complaints: string[] = []
const complain = (fields: object, message: string): void =>
  void complaints.push(`${message} ${String((fields as { err?: Error }).err?.stack ?? JSON.stringify(fields))}`)
let healthy: { talk(): Promise<void>; settled(): Promise<void>; close(): Promise<void> }

const warn = (warning: Error): void => void complaints.push(String(warning))
beforeAll(async () => {
  // A listener that is added again and again is told of by a warning.
  process.on('warning', warn)
  database = await createTestDatabase()
  org = await createGoldenOrg(database.db)
  const log = { error: complain, warn: complain, info: () => undefined, debug: () => undefined }
  gateway = await startGateway(database.db, { connectTimeoutMs: 3_000, log })
  const [one, two] = (await Promise.all(
    ['healthy-one', 'healthy-two'].map(async (name) =>
      connectMachine(gateway.url, await linkMachine(database.db, org.owner, org.orgId, name)),
    ),
  )) as [MachineClient, MachineClient]
  const from = { machine: one.machine, agent: 'Healthy', epoch: await one.claim('Healthy') }
  let sent = 0
  const own = () => two.delivered.filter((envelope) => envelope.from.machine === one.machine.id)
  healthy = {
    async talk() {
      await Promise.all([one, two].map((machine) => machine.ask('heartbeat', { at: 1 })))
      const envelope = envelopeOf(from, { machine: two.machine.id, agent: 'Listener' }, sent++)
      const answer = await within(DEADLINE_MS, () => 'a healthy relay', one.ask('relay', { envelopes: [envelope] }))
      expect(answer).toMatchObject({ ok: true, value: { results: [{ state: 'carried' }] } })
    },
    async settled() {
      await within(
        DEADLINE_MS,
        () => 'the healthy machines',
        two.until(() => own().length === sent),
      )
      expect(own().map(({ seq }) => seq)).toEqual(Array.from({ length: sent }, (_, seq) => seq))
    },
    async close() {
      await Promise.all([one.close(), two.close()])
    },
  }
}, 60_000)
afterAll(async () => {
  process.off('warning', warn)
  await healthy.close()
  await gateway.close()
  await database.drop()
})

/** Opens a socket and proves that it is this machine; ready for frames. */
async function connectRaw(machine: LinkedMachine): Promise<RawSocket> {
  const raw = await openRaw(gateway.url)
  const auth = { ...golden('control/auth.usual'), key: machine.key }
  raw.text(`40${MACHINES_NAMESPACE},${JSON.stringify(auth)}`)
  const challenge = readPacket((await raw.take((text) => text.includes('"challenge"'))) ?? '')
  if (challenge === undefined) throw new Error(`not challenged: ${raw.texts}`)
  const frame = (challenge.data as unknown[])[1] as Challenge
  const signature = sign(null, Buffer.from(controlProofText(frame, auth.bootId)), machine.identity.privateKey)
  const proof = { signature: signature.toString('base64url'), publicKey: machine.identity.publicKey }
  raw.text(`43${MACHINES_NAMESPACE},${challenge.id}${JSON.stringify([proof])}`)
  await raw.take((text) => text.includes('"welcome"'))
  return raw
}

const events = Object.keys(machineFrames) as (keyof typeof machineFrames)[]
const anyAnswer = answerOf(z.unknown())
/** Right frames that cost a transaction are other tests' matter: a few of them are enough here. */
const isCostly = ([event, input]: unknown[]): boolean =>
  /^(agents\.(sync|claim|status|release)|channels\.(join|leave)|traces)$/.test(String(event)) &&
  machineFrames[event as 'traces'].input.safeParse(input).success
/** One nearly right frame; the arguments as they travel. */
const nearly: fc.Arbitrary<unknown[]> = fc
  .constantFrom(...events.flatMap((event) => casesOf('control', event)))
  .chain(({ frame, value }) =>
    fc.oneof(
      { weight: 20, arbitrary: fc.tuple(fc.constant(frame), mutated(value)) },
      { weight: 1, arbitrary: fc.constantFrom<unknown[][]>([frame], [frame, value, value], [frame, value, null, 'x']) },
      {
        weight: 1,
        arbitrary: fc.tuple(fc.constantFrom<unknown[]>('peers', '__proto__', 'constructor', 'hint', 5, 0), oddValue),
      },
    ),
  )

const mostlyWrong = fc
  .tuple(nearly, fc.nat(9))
  .filter(([args, n]) => n === 0 || !isCostly(args))
  .map(([args]) => args)

async function nearlyFrames(raw: RawSocket, count: number): Promise<void> {
  let id = 0
  await fc.assert(
    fc.asyncProperty(fc.array(mostlyWrong, { minLength: 20, maxLength: 20 }), async (frames) => {
      const first = id
      for (const args of frames) raw.text(`42${MACHINES_NAMESPACE},${id++}${JSON.stringify(args)}`)
      const answered = frames.map(async (args, n) => {
        const start = `43${MACHINES_NAMESPACE},${first + n}[`
        const text = await within(
          DEADLINE_MS,
          () => JSON.stringify(args),
          raw.take((one) => one.startsWith(start)),
        )
        if (text === undefined)
          throw new Error(`closed at ${JSON.stringify(args).slice(0, 500)}: ${raw.texts.slice(-3)}`)
        const answer = anyAnswer.parse((readPacket(text)?.data as unknown[] | undefined)?.[0])
        if (answer.ok) return
        expect(answer.error.code, JSON.stringify(args)).not.toBe('INTERNAL')
        expect(answer.error.message.length).toBeLessThan(1_000)
      })
      await Promise.all(answered)
      raw.text(`42${MACHINES_NAMESPACE},["heartbeat",{"at":1}]`)
      raw.texts.length = 0
      await healthy.talk()
    }),
    { numRuns: count / 20 },
  )
}

test('ten thousand frames that are nearly right are each answered by their kind of answer, on a socket that lives', async () => {
  const raw = await connectRaw(org.alice)
  try {
    await nearlyFrames(raw, 1_000)
    await healthy.settled()
    const before = await standing()
    await nearlyFrames(raw, 10_000)
    await healthy.settled()
    const after = await standing()
    expect(await gateway.connections()).toBe(3)
    expect(after.heapBytes - before.heapBytes).toBeLessThan(12 * 1024 * 1024)
  } finally {
    raw.tcp.destroy()
    await raw.closed
  }
  expect(complaints).toEqual([])
}, 120_000)

const deep = (open: string, close: string) => (depth: number) => open.repeat(depth) + close.repeat(depth)
/** Texts of the engine that are no packets of ours, or packets in the wrong place. */
const strange = fc.oneof(
  fc.constantFrom(
    ...['', '4', '42', '9', 'x', '6', '1', '2probe', '3', '3probe', '5', '4\0', '0{}', 'b', 'bAAAA', '\ud800'],
    ...[
      '40',
      '40/nope,',
      '40/dashboard,',
      '40/machines',
      '40/machines,',
      '40/machines,{',
      '40/machines,[]',
      '40/machines,5',
    ],
    ...[
      '41/machines,',
      '41',
      '42/machines,',
      '42/machines,[]',
      '42/machines,{}',
      '42/machines,null',
      '42/machines,["relay"',
    ],
    ...[
      '42/machines,["connect"]',
      '42/machines,["disconnect"]',
      '42/machines,["error",{}]',
      '42/machines,["newListener"]',
    ],
    ...[
      '42/machines,[null]',
      '42/machines,[{}]',
      '42/machines,[[]]',
      '42/machines,[true]',
      '42/machines,["heartbeat"]',
    ],
    ...['42/machines,99999999999999999999["heartbeat",{"at":1}]', '42/machines,1e5["x"]', '42/machines,-1["x"]'],
    ...[
      '43/machines,',
      '43/machines,0[]',
      '43/machines,999[null]',
      '43/machines,0["x"]',
      '43/machines,0{}',
      '43/dashboard,0[1]',
    ],
    ...['44/machines,{}', '45/machines,["x"]', '451-["x"]', '451-/machines,["relay",{"_placeholder":true,"num":0}]'],
    ...[
      '451-/machines,["relay",{"_placeholder":true,"num":7}]',
      '45999999999-/machines,["x",{"_placeholder":true,"num":0}]',
    ],
    ...[
      '451-/machines,3["relay",{"envelopes":[{"_placeholder":true,"num":0}]}]',
      '461-/machines,0[{"_placeholder":true,"num":0}]',
    ],
    ...[
      '42/machines,["__proto__",{"__proto__":{"polluted":true}}]',
      '42/dashboard,["subscribe",{"org":"acme"}]',
      '47/machines,',
    ],
  ),
  fc.integer({ min: 1, max: 30_000 }).map((depth) => `42/machines,["heartbeat",${deep('[', ']')(depth)}]`),
  fc.integer({ min: 1, max: 30_000 }).map((depth) => `451-/machines,["heartbeat",${deep('[', ']')(depth)}]`),
  fc.integer({ min: 1, max: 30_000 }).map((depth) => `40/machines,${deep('{"v":', '}')(depth).replace(':}', ':1}')}`),
  fc.string({ unit: 'binary', maxLength: 200 }),
  oddValue.map((auth) => `40/machines,${JSON.stringify(auth)}`),
  mutated(golden('control/auth.usual')).map((auth) => `40/machines,${JSON.stringify(auth)}`),
)
type Part =
  | { kind: 'text'; text: string }
  | { kind: 'frame'; opcode: number; bytes: Uint8Array; isFinal: boolean; isMasked: boolean }
  | { kind: 'bytes'; bytes: Uint8Array }
const part: fc.Arbitrary<Part> = fc.oneof(
  { weight: 6, arbitrary: strange.map((text) => ({ kind: 'text' as const, text })) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('frame' as const),
      opcode: fc.constantFrom(0, 1, 2, 3, 7, 8, 9, 10, 15),
      bytes: fc.uint8Array({ maxLength: 200 }),
      isFinal: fc.boolean(),
      isMasked: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.uint8Array({ minLength: 1, maxLength: 100 }).map((bytes) => ({ kind: 'bytes' as const, bytes })),
  },
)

function put(raw: RawSocket, one: Part): void {
  if (raw.tcp.destroyed) return
  if (one.kind === 'text') raw.text(one.text)
  else if (one.kind === 'frame') raw.frame(one.opcode, one.bytes, one)
  else raw.tcp.write(one.bytes)
}

/** Refusals and last words are typed, whatever was said. */
function checkWords(texts: string[]): void {
  for (const text of texts) {
    const packet = readPacket(text)
    if (packet?.kind === 'refused') {
      const { data } = packet.data as { data?: unknown }
      if (data !== undefined) expect(WireError.parse(data).code).not.toBe('INTERNAL')
    }
    if (packet?.kind === 'event' && (packet.data as unknown[])[0] === 'goodbye')
      expect(WireError.parse((packet.data as unknown[])[1]).code).not.toBe('INTERNAL')
  }
}

/** Wrong keys count against their address, which a proxy on this computer may name. */
const stranger = { 'x-forwarded-for': '198.51.100.7' }

async function strangers(runs: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 4 }), fc.boolean(), async (parts, isCut) => {
      const raw = await openRaw(gateway.url, { headers: stranger })
      for (const one of parts) put(raw, one)
      if (isCut) raw.tcp.destroy()
      // Who is still waited for has said nothing wrong yet: half closed, it must go as well.
      const patience = setTimeout(() => raw.tcp.end(), 100)
      await within(DEADLINE_MS, () => JSON.stringify(parts), raw.closed)
      clearTimeout(patience)
      checkWords(raw.texts)
    }),
    // A case that hangs takes the whole deadline: no looking for a smaller one.
    { numRuns: runs, endOnFailure: true },
  )
}

test('connections that speak nothing we know are refused or closed, thousands of them, and none stays', async () => {
  // Many at once: each may last until the server's patience ends.
  const crowd = (runs: number) => Promise.all(Array.from({ length: 100 }, () => strangers(runs / 100)))
  await crowd(300)
  await healthy.settled()
  const before = await standing()
  await crowd(1_500)
  await healthy.talk()
  await healthy.settled()
  await expect.poll(() => gateway.connections(), { timeout: 10_000 }).toBe(2)
  expect((await standing()).heapBytes - before.heapBytes).toBeLessThan(12 * 1024 * 1024)
  expect(complaints).toEqual([])
}, 120_000)

test('a connection that asks for no namespace, however it keeps busy, is closed when its time is over', async () => {
  const idle = await Promise.all(Array.from({ length: 20 }, () => openRaw(gateway.url, { headers: stranger })))
  const busy = setInterval(() => {
    for (const { tcp, frame } of idle.slice(10)) if (!tcp.destroyed) frame(9, new Uint8Array(1))
  }, 50)
  await within(DEADLINE_MS, () => 'idle connections', Promise.all(idle.map(({ closed }) => closed)))
  clearInterval(busy)
})

test('what a proved machine says below Socket.IO ends its own socket at most', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 3 }), async (parts) => {
      const raw = await connectRaw(org.bob)
      for (const one of parts) put(raw, one)
      // It lives and answers, or it is closed: one or the other comes.
      put(raw, { kind: 'text', text: `42${MACHINES_NAMESPACE},77["heartbeat",{"at":1}]` })
      const isAnswer = (text: string) => text.startsWith(`43${MACHINES_NAMESPACE},77[`)
      const late = setTimeout(() => raw.tcp.end(), 200)
      await within(DEADLINE_MS, () => JSON.stringify(parts), raw.take(isAnswer))
      clearTimeout(late)
      checkWords(raw.texts)
      raw.tcp.destroy()
      await raw.closed
    }),
    { numRuns: 40, endOnFailure: true },
  )
  await healthy.talk()
  await healthy.settled()
  expect(complaints).toEqual([])
}, 120_000)
