/** Everything that a control plane, or whoever stands in its place, can do to a machine's roster without the organization's key. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Challenge, Proof, Signed } from '@agent-relay/protocol'
import { newKeyPair } from '@agent-relay/protocol/crypto'
import type { Socket } from 'socket.io'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { delta, machine, recordedLink, roster, TestPlane, trustOf } from '../../test/support/test-plane.ts'
import { RelayError } from '../errors.ts'
import { openHome } from '../home/home.ts'
import { ensureIdentity, type Identity } from '../home/identity.ts'
import type { ControlLink } from './control-link.ts'
import type { RosterTrust } from './roster-trust.ts'

const [BOB, MALLORY] = [newKeyPair('Ed25519').publicKey, newKeyPair('Ed25519').publicKey]
const withBob = (version: number, key: string | null = BOB) => ({ ...roster(version), machines: [machine('bob', key)] })
const known = (version: number, key: string | null = BOB) => ({
  version,
  machines: new Map([['bob', { publicKey: key }]]),
})

let folder: string
let identity: Identity
let plane: TestPlane
let url: string
const links: ControlLink[] = []
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'relay-trust-'))
  identity = ensureIdentity(openHome(folder))
  plane = new TestPlane()
  url = await plane.listen()
})
afterEach(async () => {
  for (const link of links.splice(0)) link.stop()
  await plane.close()
  rmSync(folder, { recursive: true, force: true })
})

/** A home that was told this organization's key before, unless `more` says otherwise. */
function home(more: Partial<RosterTrust> = {}) {
  const told = plane.control.publicKey
  const opened = recordedLink({
    ...{ url, identity, random: () => 0.02 },
    trust: trustOf({ controlKey: () => told, ...more }),
    seals: () => [{ key: 'k', signature: 's' }],
  })
  links.push(opened.link)
  return opened
}

/** The link ends as UNTRUSTED, takes nothing, and waits for its next try; gives the sentence. */
async function distrusted({ link, log, next }: ReturnType<typeof home>): Promise<string> {
  const down = next('down')
  link.start()
  const error = (await down) as RelayError
  expect(error).toMatchObject({ code: 'UNTRUSTED', message: expect.stringContaining(url) })
  expect(error.message).toMatch(/agent-relay unlink && agent-relay link$/)
  expect(log).toEqual(['down'])
  expect(link.state()).toEqual({ state: 'waiting', reason: error.message })
  return error.message
}

const greet = (told: ReturnType<typeof roster>, signed?: unknown): void => {
  plane.greet = (socket) => plane.greetWith(socket, told, signed)
}

describe('a home that was told no key yet', () => {
  test('keeps the first one before it believes anything, and says what it knows and to which keys it opens', async () => {
    const order: string[] = []
    const { link, next } = home({
      controlKey: () => undefined,
      known: () => known(1),
      pin: (key) => order.push(`pinned ${key}`),
    })
    const up = next('up').then(() => order.push('up'))
    link.start()
    await up
    expect(order).toEqual([`pinned ${plane.control.publicKey}`, 'up'])
    expect(plane.proofs).toMatchObject([{ seals: [{ key: 'k', signature: 's' }], rosterVersion: 1 }])
  })

  test('that knows no roster says so', async () => {
    const { link, next } = home({ controlKey: () => undefined })
    const up = next('up')
    link.start()
    await up
    expect(plane.proofs).toMatchObject([{ rosterVersion: null }])
  })

  test('believes nothing as long as it cannot keep the key, and tries again', async () => {
    let isFull = true
    let pinned: string | undefined
    const { link, next, log } = home({
      controlKey: () => pinned,
      pin(key) {
        if (isFull) throw new RelayError('DISK_FULL', 'No room.')
        pinned = key
      },
    })
    const [down, up] = [next('down'), next('up')]
    link.start()
    expect(await down).toMatchObject({ code: 'DISK_FULL', message: 'No room.' })
    expect(log).toEqual(['down'])
    isFull = false
    await up
    expect(pinned).toBe(plane.control.publicKey)
  })

  test('takes unsigned rosters from an older control plane, also one that was set back', async () => {
    plane.speaks = [1, 2]
    greet(withBob(3, MALLORY))
    const { link, next } = home({ controlKey: () => undefined, known: () => known(9) })
    const up = next('up')
    link.start()
    expect(await up).toMatchObject({ v: 2, roster: { version: 3 } })
    expect(plane.proofs).toEqual([{ signature: expect.any(String), publicKey: identity.publicKey }])
  })
})

describe('a greeting is not believed', () => {
  test('with another key than the first, and is again once that is back', async () => {
    const own = plane.control
    const opened = home()
    plane.control = newKeyPair('Ed25519')
    expect(await distrusted(opened)).toContain('another key than the one that this machine was told first')
    const up = opened.next('up')
    plane.control = own
    await up
    expect(opened.link.state()).toEqual({ state: 'connected', reason: null })
  })

  test('with the right key named and another one signing', async () => {
    const own = plane.control.publicKey
    plane.control = { ...newKeyPair('Ed25519'), publicKey: own }
    expect(await distrusted(home())).toContain('did not sign')
  })

  test('with one character of the roster changed', async () => {
    const { text, signature } = plane.sign('roster', withBob(4))
    greet(withBob(4), { text: text.replace(BOB, MALLORY), signature })
    expect(await distrusted(home())).toContain('did not sign')
  })

  test.each([
    ['a change', (): Signed => plane.sign('delta', withBob(4))],
    ['a confirmation', (): Signed => plane.sign('fresh', withBob(4))],
    ['the roster of another organization', (): Signed => plane.sign('roster', withBob(4), 'o2')],
  ])('when what is signed is %s', async (_, sign) => {
    greet(withBob(4), sign())
    expect(await distrusted(home())).toContain('did not sign')
  })

  test('when the key signed another organization under the name of this one', async () => {
    const other = { ...roster(4), org: { id: 'o2', slug: 'other', name: 'Other' } }
    greet(other, plane.sign('roster', other))
    expect(await distrusted(home())).toContain('another organization (other)')
  })

  test('when the roster is not signed at all', async () => {
    greet(withBob(4), withBob(4))
    expect(await distrusted(home())).toContain('unsigned roster')
  })

  test('when the control plane falls back to a version that signs nothing, which is not even asked for', async () => {
    plane.speaks = [1, 2]
    const asked: number[] = []
    plane.on('asked', (v) => asked.push(v))
    expect(await distrusted(home())).toContain('does not speak version 3 any more')
    expect(asked).toEqual([3])
  })

  test('when it is an old one, kept and said again', async () => {
    const opened = home({ known: () => known(8) })
    greet(withBob(7))
    expect(await distrusted(opened)).toContain('an old roster (version 7; this machine has seen 8)')
    const up = opened.next('up')
    greet(withBob(8))
    await up
    expect(plane.proofs.map(({ rosterVersion }) => rosterVersion)).toEqual([8, 8])
  })

  test('when it is older than a change in this run, though the disk has not kept that', async () => {
    const opened = home()
    const [up, changed] = [opened.next('up'), opened.next('delta')]
    opened.link.start()
    await up
    plane.sockets[0]?.emit('roster', plane.sign('delta', delta(1, 5)))
    await changed
    const down = opened.next('down')
    plane.sockets[0]?.disconnect(true)
    await down
    expect(await opened.next('down')).toMatchObject({ message: expect.stringContaining('has seen 5') })
    expect(plane.proofs.at(-1)).toMatchObject({ rosterVersion: 5 })
  })

  test.each([MALLORY, null])('when a known machine has another identity (%s)', async (key) => {
    greet(withBob(9, key))
    expect(await distrusted(home({ known: () => known(8) }))).toContain('bob (bob) has another identity than before')
  })

  test('when it is meant for another machine', async () => {
    expect(await distrusted(home({ machine: 'm7' }))).toContain('takes this machine for another one (m1 of o1)')
    expect(plane.proofs, 'nothing was signed').toEqual([])
    plane.greet = (socket) =>
      socket.emit('welcome', {
        ...{ v: 3, machine: { id: 'm2', name: 'other' }, person: 'alice', now: 1 },
        ...{ controlKey: plane.control.publicKey, roster: plane.sign('roster', roster(1)) },
      })
    expect(await distrusted(home())).toContain('other (m2), which it is not')
  })

  test('when it asks for a proof to another organization, which could be used there', async () => {
    const challenge: Challenge = { nonce: 'n'.repeat(32), machineId: 'm1', org: 'o2' }
    const proofs: Proof[] = []
    plane.greet = (socket) => socket.emit('challenge', challenge, (proof: Proof) => proofs.push(proof))
    expect(await distrusted(home())).toContain('m1 of o2')
    expect(proofs).toEqual([])
  })
})

test('an identity that was not there yet may come, once', async () => {
  greet(withBob(9))
  const { link, next } = home({ known: () => known(8, null) })
  const up = next('up')
  link.start()
  await up
  const down = next('down')
  plane.sockets[0]?.emit('roster', plane.sign('delta', { ...delta(9, 10), machines: [machine('bob', MALLORY)] }))
  expect(await down).toMatchObject({ code: 'UNTRUSTED' })
})

describe('on a connection that was believed', () => {
  let socket: Socket
  let opened: ReturnType<typeof home>
  beforeEach(async () => {
    greet(withBob(1))
    opened = home()
    const claims = opened.next('claims')
    opened.link.start()
    await claims
    socket = plane.sockets[0] as Socket
  })

  const swapped = { ...delta(1, 2), machines: [machine('bob', MALLORY)] }
  const stranger = newKeyPair('Ed25519')
  test.each([
    ['unsigned', () => delta(1, 2), 'sent an unsigned roster'],
    ['of another kind', () => plane.sign('roster', delta(1, 2)), 'did not sign'],
    ['of another organization', () => plane.sign('delta', delta(1, 2), 'o2'), 'did not sign'],
    ['by another key', () => new TestPlane(stranger).sign('delta', delta(1, 2)), 'did not sign'],
    ['with another identity for a known machine', () => plane.sign('delta', swapped), 'another identity'],
  ])('a change that is %s ends it, and is not taken', async (_, frame, words) => {
    const down = opened.next('down')
    socket.emit('roster', frame())
    expect(await down).toMatchObject({ code: 'UNTRUSTED', message: expect.stringContaining(words) })
    expect(opened.log).toEqual(['up', 'claims', 'down'])
  })

  test('a change that was said before is passed over', async () => {
    const signed = plane.sign('delta', delta(1, 2))
    const [first, second] = [opened.next('delta'), plane.sign('delta', delta(2, 3))]
    socket.emit('roster', signed)
    await first
    const last = opened.next('delta')
    socket.emit('roster', signed)
    socket.emit('roster', second)
    expect((await last).version).toBe(3)
    expect(opened.log.filter((event) => event === 'delta')).toHaveLength(2)
  })

  test('a machine that is gone does not come back as another', async () => {
    socket.emit('roster', plane.sign('delta', { ...delta(1, 2), removedMachines: ['bob'] }))
    const down = opened.next('down')
    socket.emit('roster', plane.sign('delta', { ...delta(2, 3), machines: [machine('bob', MALLORY)] }))
    expect(await down).toMatchObject({ code: 'UNTRUSTED' })
  })

  test.each([
    ['unsigned', () => withBob(9), 'sent an unsigned roster'],
    ['of another kind', () => plane.sign('delta', withBob(9)), 'did not sign'],
    ['old', () => plane.sign('roster', withBob(1)), 'an old roster (version 1; this machine has seen 2)'],
    ['with a swapped identity', () => plane.sign('roster', withBob(9, MALLORY)), 'another identity'],
  ])('a whole roster that is %s ends it, and is not taken', async (_, answer, words) => {
    plane.answers['roster.get'] = answer
    const [changed, down] = [opened.next('delta'), opened.next('down')]
    socket.emit('roster', plane.sign('delta', delta(1, 2)))
    await changed
    socket.emit('roster', plane.sign('delta', delta(5, 6)))
    expect(await down).toMatchObject({ code: 'UNTRUSTED', message: expect.stringContaining(words) })
    expect(opened.log).toEqual(['up', 'claims', 'delta', 'down'])
  })
})

describe('a heartbeat', () => {
  const beat = (fresh: unknown): void => {
    plane.answers.heartbeat = ({ at }: { at: number }) => ({ at, now: 1, fresh })
  }

  test('confirms the roster that is held', async () => {
    beat(plane.sign('fresh', { org: 'o1', version: 1, at: 777 }))
    const { link, next } = home()
    const fresh = next('fresh')
    link.start()
    expect(await fresh).toBe(777)
  })

  test('that tells of a newer roster has it fetched, and then confirms that', async () => {
    beat(plane.sign('fresh', { org: 'o1', version: 9, at: 778 }))
    const { link, next, log } = home()
    const fresh = next('fresh')
    link.start()
    expect(await fresh).toBe(778)
    expect(log).toEqual(['up', 'claims', 'roster', 'fresh'])
  })

  test.each([
    ['unsigned', () => ({ text: JSON.stringify({ org: 'o1', version: 1, at: 1 }), signature: 'A'.repeat(86) })],
    ['of another kind', () => plane.sign('delta', { org: 'o1', version: 1, at: 1 })],
    ['of another organization', () => plane.sign('fresh', { org: 'o1', version: 1, at: 1 }, 'o2')],
    ['about another organization', () => plane.sign('fresh', { org: 'o2', version: 1, at: 1 })],
  ])('whose confirmation is %s ends the connection', async (_, fresh) => {
    beat(fresh())
    const { link, next, log } = home()
    const down = next('down')
    link.start()
    expect(await down).toMatchObject({ code: 'UNTRUSTED' })
    expect(log).not.toContain('fresh')
  })

  test('without a confirmation confirms nothing', async () => {
    const { link, log } = home()
    link.start()
    await expect.poll(() => link.latencyMs()).not.toBeNull()
    expect(log).not.toContain('fresh')
  })
})

test('CLONED ends the tries: each copy would go on for ever in the name of the other', async () => {
  plane.greet = (socket) => socket.emit('goodbye', { code: 'CLONED', message: 'A copy of this folder runs, too.' })
  const { link, next } = home()
  const refused = next('refused')
  link.start()
  expect(await refused).toMatchObject({ code: 'CLONED' })
  expect(link.state()).toEqual({ state: 'refused', reason: 'A copy of this folder runs, too.' })
})

describe('what only version 3 carries', () => {
  async function connected() {
    const opened = home()
    const claims = opened.next('claims')
    opened.link.start()
    await claims
    return { ...opened, socket: plane.sockets[0] as Socket }
  }
  const sealed = { by: 'A'.repeat(11), to: 'B'.repeat(11), data: 'A'.repeat(40) }
  const signal = { id: '0199c0de-0000-4000-8000-000000000001', sealed }

  test('signals, both ways; one that cannot be read is passed over', async () => {
    const { link, next, socket } = await connected()
    plane.answers.signal = () => ({ done: true })
    const [said] = await Promise.all([once(plane, 'signal'), link.signal({ to: 'bob', ...signal })])
    expect(said).toEqual([{ to: 'bob', ...signal }])
    const came = next('signal')
    socket.emit('signal', { from: 'bob', id: 'no uuid', sealed })
    socket.emit('signal', { from: 'bob', ...signal })
    expect(await came).toEqual({ from: 'bob', ...signal })
  })

  test('keys, and whether it can be reached', async () => {
    const { link } = await connected()
    const keys = [{ key: 'a', signature: 'b' }]
    plane.answers['keys.put'] = () => ({ done: true })
    plane.answers['reach.check'] = () => ({ address: '192.0.2.7', isReachable: true, why: 'answered' })
    const put = once(plane, 'keys.put')
    await link.putSeals(keys)
    expect(await put).toEqual([{ seals: keys }])
    expect(await link.checkReach(4711)).toEqual({ address: '192.0.2.7', isReachable: true, why: 'answered' })
    plane.answers['reach.check'] = () => ({ isReachable: 'perhaps' })
    await expect(link.checkReach(4711)).rejects.toThrow(/does not understand/)
  })

  test('any number of links, of which only the first frame says that there are no others before it', async () => {
    const { link } = await connected()
    const frames: [number, boolean][] = []
    plane.answers.links = ({ links, isWhole }: { links: unknown[]; isWhole: boolean }) => {
      frames.push([links.length, isWhole])
      return { done: true }
    }
    const one = { machine: 'bob', state: 'relay' as const, kind: null, latencyMs: null, why: 'so', forMs: 1 }
    await link.reportLinks(Array(1100).fill(one), true)
    await link.reportLinks([], true)
    await link.reportLinks([], false)
    await link.reportLinks([one], false)
    expect(frames).toEqual([
      [512, true],
      [512, false],
      [76, false],
      [0, true],
      [1, false],
    ])
  })
})
