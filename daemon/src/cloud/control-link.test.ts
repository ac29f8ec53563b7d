import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Envelope, ReturnBatch } from '@agent-relay/protocol'
import type { Socket } from 'socket.io'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { delta, envelope, recordedLink, TestPlane } from '../../test/support/test-plane.ts'
import { openHome } from '../home/home.ts'
import { ensureIdentity, type Identity } from '../home/identity.ts'
import type { Clock } from './clock.ts'
import type { ControlLink, ControlLinkOptions } from './control-link.ts'

let folder: string
let identity: Identity
let plane: TestPlane
const links: ControlLink[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'relay-link-'))
  identity = ensureIdentity(openHome(folder))
  plane = new TestPlane()
})
afterEach(async () => {
  for (const link of links.splice(0)) link.stop()
  await plane.close()
  rmSync(folder, { recursive: true, force: true })
})

function linkTo(url: string, more: Partial<ControlLinkOptions> = {}) {
  const opened = recordedLink({ url, identity, ...more })
  links.push(opened.link)
  return opened
}

describe('connecting', () => {
  test('proves the machine, then claims its names, then knows its latency', async () => {
    const url = await plane.listen()
    const claim = {
      name: 'Alice',
      epoch: 3,
      status: 'idle' as const,
      project: null,
      repository: null,
      client: null,
      model: null,
      capabilities: [],
    }
    const { link, next, log } = linkTo(url, { agents: () => [claim] })
    expect(link.state().state).toBe('stopped')
    const claims = next('claims')
    link.start()
    expect(link.state().state).toBe('connecting')
    expect(await claims).toEqual([{ ok: true, name: 'Alice', epoch: 4 }])
    expect(log).toEqual(['up', 'claims'])
    expect(link.state()).toEqual({ state: 'connected', reason: null })
    await expect.poll(() => link.latencyMs()).toBeGreaterThan(0)
  })

  test('a key that the control plane does not know ends the tries, with its sentence', async () => {
    const url = await plane.listen()
    const { link, next } = linkTo(url, { key: 'ar_live_bad' })
    const refused = next('refused')
    link.start()
    expect((await refused).message).toBe('No such key; run: agent-relay link')
    expect(link.state()).toEqual({ state: 'refused', reason: 'No such key; run: agent-relay link' })
    expect(plane.sockets).toHaveLength(1)
  })

  test('a refusal before the connection counts the same', async () => {
    plane.io.of('/machines').use((_, done) => {
      done(Object.assign(new Error('no'), { data: { code: 'KEY_REVOKED', message: 'Revoked; run: agent-relay link' } }))
    })
    const { link, next } = linkTo(await plane.listen())
    const refused = next('refused')
    link.start()
    expect((await refused).code).toBe('KEY_REVOKED')
  })

  test.each([
    ['a challenge that is none', (socket: Socket) => socket.emit('challenge', { nonce: 5 }, () => undefined)],
    ['a challenge without a way to answer', (socket: Socket) => socket.emit('challenge', null)],
    ['a welcome without a roster', (socket: Socket) => socket.emit('welcome', { v: 1 })],
    ['a goodbye without words', (socket: Socket) => socket.emit('goodbye', 'x')],
  ])('survives %s, says so and tries again', async (_, greet) => {
    plane.greet = greet
    const { link, next } = linkTo(await plane.listen())
    const down = next('down')
    link.start()
    expect((await down).message).toMatch(/sent a \w+ frame that this version does not understand: use the agent-relay/)
    plane.greet = (socket) => plane.welcome(socket, 1)
    await next('up')
  })

  test('says what is wrong with an address where nothing listens, and with one that is something else', async () => {
    const gone = new TestPlane()
    const url = await gone.listen()
    await gone.close()
    const first = linkTo(url)
    const down = first.next('down')
    first.link.start()
    expect((await down).message).toMatch(/^Cannot reach http.*: nothing listens there; is the control plane running/)
    expect(first.link.state().state).toMatch(/waiting|connecting/)

    const website = createServer((_, response) => response.end('hi')).listen(0, '127.0.0.1')
    website.on('upgrade', (_, socket) => socket.end('HTTP/1.1 404 Not Found\r\n\r\n'))
    await once(website, 'listening')
    const second = linkTo(`http://127.0.0.1:${(website.address() as AddressInfo).port}`)
    const other = second.next('down')
    second.link.start()
    expect((await other).message).toMatch(/answered 404 where an Agent Relay control plane opens its socket/)
    second.link.stop()
    website.close()
  })

  test('comes back by itself when the control plane restarts on its port', async () => {
    const url = await plane.listen()
    const { link, next } = linkTo(url, { random: () => 0.02 })
    const up = next('up')
    link.start()
    await up
    const down = next('down')
    await plane.close()
    expect((await down).message).toContain('was lost; reconnecting')
    await expect(link.relay([envelope(0)])).rejects.toMatchObject({ code: expect.stringMatching(/NOT_CONN|UNAVAIL/) })
    plane = new TestPlane(plane.control)
    const again = next('up')
    await plane.listen(Number(new URL(url).port))
    await again
    expect(link.state().state).toBe('connected')
  })
})

describe('what is carried', () => {
  async function connected(more: Partial<ControlLinkOptions> = {}) {
    const made = linkTo(await plane.listen(), more)
    const claims = made.next('claims')
    made.link.start()
    await claims
    return { ...made, socket: plane.sockets[0] as Socket }
  }

  test('calls of one tick leave as one batch and each gets its own results', async () => {
    const { link } = await connected()
    const [a, b, c] = [envelope(0), envelope(1), envelope(2)]
    const [first, second] = await Promise.all([link.relay([a, b]), link.relay([c])])
    expect(plane.batches.map((batch) => batch.length)).toEqual([3])
    expect(first.map((result) => result.id)).toEqual([a.id, b.id])
    expect(second.map((result) => result.id)).toEqual([c.id])
  })

  test('no batch is longer than 512 or heavier than a frame may be, whatever the bodies escape to', async () => {
    const { link } = await connected()
    const many = Array.from({ length: 1300 }, (_, n) => envelope(n))
    // A control character is one byte of body and six of JSON.
    const heavy = Array.from({ length: 12 }, (_, n) => envelope(n, '\u0001'.repeat(256 * 1024)))
    const results = await link.relay([...many, ...heavy])
    expect(results.map((result) => result.id)).toEqual([...many, ...heavy].map(({ id }) => id))
    for (const batch of plane.batches) {
      expect(batch.length).toBeLessThanOrEqual(512)
      expect(Buffer.byteLength(JSON.stringify(batch))).toBeLessThan(8 * 1024 * 1024)
    }
    expect(plane.batches.flat().map(({ seq }) => seq)).toEqual([...many, ...heavy].map(({ seq }) => seq))
  })

  test('of several acknowledgements of a stream only the furthest goes out', async () => {
    const { link } = await connected()
    const sent = once(plane, 'return')
    const ack = (upTo: number) => ({ stream: 's', outboxEpoch: 'e', upTo, to: 'm2' })
    await Promise.all([3, 9, 5].map((upTo) => link.giveBack({ acks: [ack(upTo)], gaps: [], receipts: [] })))
    expect((await sent)[0]).toEqual({ acks: [ack(9)], gaps: [], receipts: [] })
  })

  test('a refusal is never read after the acknowledgement that covers it, however many frames they need', async () => {
    const { link } = await connected()
    const frames: ReturnBatch[] = []
    plane.on('return', (batch: ReturnBatch) => frames.push(batch))
    const receipts = Array.from({ length: 1200 }, (_, n) => ({
      id: envelope(n).id,
      state: 'failed' as const,
      to: 'm2',
    }))
    const heard = Array.from({ length: 700 }, (_, n) => ({ id: envelope(n).id, state: 'seen' as const, to: 'm2' }))
    const acks = Array.from({ length: 600 }, (_, n) => ({ stream: `s${n}`, outboxEpoch: 'e', upTo: 1, to: 'm2' }))
    await link.giveBack({ acks, gaps: [], receipts, heard })
    expect(frames.map((frame) => [frame.receipts.length, frame.heard?.length ?? 0, frame.acks.length])).toEqual([
      [512, 512, 0],
      [512, 188, 0],
      [176, 0, 512],
      [0, 0, 88],
    ])
  })

  test('an unreadable envelope does not keep the others of its batch', async () => {
    const { next, socket } = await connected()
    const delivered = next('deliver')
    const [good, other] = [envelope(0), envelope(1)]
    socket.emit('deliver', { envelopes: [good, { ...good, id: 'no uuid' }, null, other] })
    expect(await delivered).toEqual([good, other])
  })

  test('a request whose connection ends before its answer rejects', async () => {
    const { link, socket } = await connected()
    plane.answers = {}
    const refused = once(plane, 'relay')
    const relayed = link.relay([envelope(0)])
    await refused
    const outcome = expect(relayed).rejects.toMatchObject({ code: 'NOT_CONNECTED' })
    socket.disconnect(true)
    await outcome
  })

  test('an answer that leaves a message out is not taken for success', async () => {
    const { link } = await connected()
    plane.answers.relay = ({ envelopes }: { envelopes: Envelope[] }) => ({
      results: envelopes.slice(1).map(({ id }) => ({ id, state: 'carried' })),
    })
    await expect(link.relay([envelope(0), envelope(1)])).rejects.toThrow(/did not say what became of message/)
    plane.answers.relay = () => ({ results: 'all fine' })
    await expect(link.relay([envelope(0)])).rejects.toThrow(/does not understand/)
  })

  test('a delta of the held version is passed on, any other asks for the whole roster', async () => {
    const { next, socket, log } = await connected()
    const first = next('delta')
    socket.emit('roster', plane.sign('delta', delta(1, 2)))
    expect((await first).version).toBe(2)
    const whole = next('roster')
    const after = next('delta')
    for (const one of [delta(5, 6), delta(6, 9), delta(9, 10)]) socket.emit('roster', plane.sign('delta', one))
    expect((await whole).version).toBe(9)
    expect((await after).version).toBe(10)
    expect(log).toEqual(['up', 'claims', 'delta', 'roster', 'delta'])
  })

  test('stopping settles what waits and says goodbye', async () => {
    const { link, socket } = await connected()
    const gone = once(socket, 'disconnect')
    delete plane.answers.relay
    const waiting = expect(link.relay([envelope(0)])).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
    link.stop()
    await waiting
    await gone
    expect(link.state().state).toBe('stopped')
    await expect(link.relay([envelope(1)])).rejects.toMatchObject({ code: 'NOT_CONNECTED' })
  })
})

/** A clock that stands still unless it is told how much time passes. */
function standing(): { clock: Clock; pass(ms: number): void } {
  const timers: { at: number; act: () => void }[] = []
  let now = 0
  return {
    clock: {
      now: () => now,
      after(ms, act) {
        const timer = { at: now + ms, act }
        timers.push(timer)
        return () => void (timers.includes(timer) && timers.splice(timers.indexOf(timer), 1))
      },
    },
    pass(ms) {
      const end = now + ms
      for (;;) {
        const due = timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0]
        if (due === undefined) break
        timers.splice(timers.indexOf(due), 1)
        now = due.at
        due.act()
      }
      now = end
    },
  }
}

test('a control plane that stops answering is given up 40 s after its last echo', async () => {
  const { clock, pass } = standing()
  const { link, next } = linkTo(await plane.listen(), { clock })
  const claims = next('claims')
  link.start()
  await claims
  await expect.poll(() => link.latencyMs()).toBe(0)
  delete plane.answers.heartbeat
  let reason: Error | undefined
  void next('down').then((error) => {
    reason = error
  })
  const asked = expect(link.setStatus([])).rejects.toMatchObject({ code: 'TIMEOUT' })
  pass(39_999)
  await asked
  expect(link.state().state).toBe('connected')
  pass(1)
  await expect.poll(() => reason?.message).toMatch(/has not answered a heartbeat for 40 s/)
})

describe('in another network', () => {
  test('a connection that is silent there is given up after 3 s, and one that answers stays', async () => {
    const { clock, pass } = standing()
    const { link, next } = linkTo(await plane.listen(), { clock })
    const claims = next('claims')
    link.start()
    await claims
    await expect.poll(() => link.latencyMs()).toBe(0)
    link.nudge()
    pass(1)
    // The answer comes by a real socket, while this clock stands.
    await expect.poll(() => link.latencyMs()).toBe(1)
    pass(3_000)
    expect(link.state().state).toBe('connected')
    delete plane.answers.heartbeat
    const down = next('down')
    link.nudge()
    pass(3_000)
    await expect(down).resolves.toMatchObject({ code: 'TIMEOUT' })
  })

  test('what waited for its next try is tried at once', async () => {
    const { clock } = standing()
    const { link, next } = linkTo(await plane.listen(), { clock })
    const up = next('up')
    link.start()
    await up
    const down = next('down')
    for (const socket of plane.sockets) socket.disconnect(true)
    await down
    expect(link.state().state).toBe('waiting')
    const again = next('up')
    link.nudge()
    await again
    expect(link.state().state).toBe('connected')
  })
})
