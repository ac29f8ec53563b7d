/** A daemon of version 1, as it was recorded, against this gateway; and versions that nobody here knows. */
import { sign } from 'node:crypto'
import { controlProofText, DASHBOARD_AGENT, MACHINES_NAMESPACE, SOCKET_PATH } from '@agent-relay/protocol'
import { golden } from '@agent-relay/protocol/fixtures'
import { asVersion1, eventOf, type Packet, payloadOf, readPacket, transcript } from '@agent-relay/protocol/transcripts'
import { io } from 'socket.io-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { revokeMachine } from '#lib/services/machines/revoke-machine.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import { createGoldenOrg, type GoldenOrg, timeless } from '#lib/testing/golden.ts'
import { connectMachine, startGateway, type TestGateway } from '#lib/testing/machines.ts'
import { contextOf } from '#lib/testing/people.ts'

let database: TestDatabase
let gateway: TestGateway
let org: GoldenOrg
beforeAll(async () => {
  database = await createTestDatabase()
  org = await createGoldenOrg(database.db)
  gateway = await startGateway(database.db)
})
afterAll(async () => {
  await gateway.close()
  await database.drop()
})

const auth = golden('control/auth.usual')

test.each([0, 4, 99])('version %i is refused with what is spoken and the command that installs it', async (v) => {
  const options = { path: SOCKET_PATH, transports: ['websocket'], reconnection: false, forceNew: true }
  const socket = io(gateway.url + MACHINES_NAMESPACE, { ...options, auth: { ...auth, v, key: { of: 'a later form' } } })
  const error = await new Promise<{ data?: unknown }>((resolve) => socket.once('connect_error', resolve))
  socket.disconnect()
  if (v === 0) expect(error.data).toMatchObject({ code: 'BAD_REQUEST' })
  else
    expect(error.data).toMatchObject({
      code: 'VERSION_UNSUPPORTED',
      message: expect.stringMatching(
        /versions 1 to 3 and not \d+\. Install .*: npm install --global http\S+\/agent-relay\.tgz$/,
      ),
      details: { oldest: 1, newest: 3 },
    })
})

test('a recorded daemon of version 1 hears what the gateway of its time said, and nothing that it does not know', async () => {
  const bob = await connectMachine(gateway.url, org.bob)
  await bob.claim('Bob')
  const recording = transcript('control-1', 'session')
  /** What others do when the recording has come to its consequence. */
  const causes: Record<string, () => Promise<unknown>> = {
    async returned() {
      // What only version 2 knows goes first, so that it would come first.
      await bob.ask('return', golden('control/return.heard'))
      await bob.ask('return', payloadOf(recording, 'returned').batch)
    },
    deliver: () => bob.ask('relay', payloadOf(recording, 'deliver')),
    goodbye: () => revokeMachine(contextOf(database.db, org.owner), { org: org.orgId, machineId: org.alice.id }),
  }
  const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}${SOCKET_PATH}/?EIO=4&transport=websocket`)
  const heard: Packet[] = []
  const taken = new Set<Packet>()
  let wake: () => void = () => undefined
  socket.addEventListener('message', ({ data }) => {
    if (data === '2') return socket.send('3')
    const packet = readPacket(String(data))
    if (packet) heard.push(packet)
    wake()
  })
  await new Promise((resolve) => socket.addEventListener('open', resolve))
  const keyOf = (packet: Packet) => `${packet.kind} ${eventOf(packet) ?? packet.id ?? ''}`
  const next = async (like: Packet): Promise<Packet> => {
    for (;;) {
      const found = heard.find((packet) => !taken.has(packet) && keyOf(packet) === keyOf(like))
      if (found) return found
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }

  const asked = new Map<number | undefined, string>()
  let challenge = { data: [] } as unknown as Packet
  for (const { isOpener, text } of recording) {
    const recorded = readPacket(text) as Packet
    const event = eventOf(recorded)
    if (isOpener && recorded.kind === 'ack') {
      const [, nonce] = challenge.data as [string, Parameters<typeof controlProofText>[0]]
      const signature = sign(null, Buffer.from(controlProofText(nonce, auth.bootId)), org.alice.identity.privateKey)
      const proof = { ...(recorded.data as [object])[0], signature: signature.toString('base64url') }
      socket.send(`43/machines,${challenge.id}${JSON.stringify([proof])}`)
    } else if (isOpener) {
      if (event !== undefined) asked.set(recorded.id, event)
      socket.send(text)
    } else {
      if (event !== undefined) await causes[event]?.()
      const actual = await next(recorded)
      taken.add(actual)
      if (event === 'challenge') challenge = actual
      // A delta may join two changes that another recording has apart.
      else if (event !== 'roster' && /^(event|ack)$/.test(recorded.kind))
        expect(timeless(actual.data), keyOf(actual)).toEqual(timeless(recorded.data))
    }
  }
  socket.close()
  await bob.close()

  for (const packet of heard) {
    const event = packet.kind === 'ack' ? asked.get(packet.id) : eventOf(packet)
    if (event === undefined) continue
    const frame = packet.kind === 'ack' ? (packet.data as [unknown])[0] : (packet.data as [string, unknown])[1]
    expect(asVersion1(event).parse(frame), event).toEqual(frame)
  }
  expect(JSON.stringify(heard)).not.toContain(DASHBOARD_AGENT)
})
