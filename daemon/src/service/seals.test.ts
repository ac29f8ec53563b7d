import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  DAY_MS,
  type Envelope,
  MAX_BODY_BYTES,
  type PeerSignal,
  type Roster,
  type SealKey,
} from '@agent-relay/protocol'
import { createSealBox, newKeyPair } from '@agent-relay/protocol/crypto'
import { afterEach, expect, test } from 'vitest'
import { indexRoster } from '../core/roster.ts'
import { openHome } from '../home/home.ts'
import { ensureIdentity } from '../home/identity.ts'
import type { Log } from '../log.ts'
import { createSealer, type Sealer } from './seals.ts'
import type { Self, Trust } from './trust.ts'

const ORG = '0199c0de-0000-7000-8000-000000000001'
const START = 1_767_225_600_000
const homes: string[] = []
const open: Sealer[] = []
afterEach(() => {
  for (const sealer of open.splice(0)) sealer.stop()
  for (const home of homes.splice(0)) rmSync(home, { recursive: true })
})

type Said = { id: string; publicKey: string | null; seals?: SealKey[] }

/** A machine of the organization over its own home; others are what its roster says of them. */
function machine(id: string, home = newHome()) {
  const paths = openHome(home)
  const { pem, ...identity } = ensureIdentity(paths)
  const self: Self = { org: ORG, machine: id, bootId: 'boot', identity, identityKey: pem }
  let clock = START
  let trust: Trust = { self, roster: null, isOnline: true, why: null }
  const warnings: string[] = []
  const put: SealKey[][] = []
  const log: Log = {
    error: (text) => void warnings.push(text),
    warn: (text) => void warnings.push(text),
    info: () => undefined,
    debug: () => undefined,
  }
  const start = (more: { isOff?: boolean } = {}): Sealer => {
    const sealer = createSealer({
      ...{ paths, log, trust: () => trust, known: () => trust.roster, now: () => clock, ...more },
      putSeals: async (seals) => void put.push(seals),
    })
    sealer.trusted()
    open.push(sealer)
    return sealer
  }
  let sealer = start()
  return {
    paths,
    warnings,
    put,
    get sealer() {
      return sealer
    },
    said: (): Said => ({ id, publicKey: identity.publicKey, seals: sealer.keys() }),
    /** The roster, or another view of whom it believes, as of now. */
    hears(said: Said[], more: Partial<Trust> & { archive?: string | null } = {}) {
      const { archive = null, ...rest } = more
      trust = { ...trust, roster: indexRoster(rosterOf(said, archive)), ...rest }
      sealer.trusted()
    },
    restart(more: { isOff?: boolean } = {}) {
      sealer.stop()
      sealer = start(more)
    },
    pass(ms: number) {
      clock += ms
    },
  }
}

const newHome = (): string => {
  const home = mkdtempSync(join(tmpdir(), 'relay-seals-'))
  homes.push(home)
  return home
}

const rosterOf = (said: Said[], archive: string | null): Roster => ({
  version: 1,
  org: { id: ORG, slug: 'acme', name: 'Acme' },
  machines: said.map(({ id, publicKey, seals }) => ({
    ...{
      id,
      name: id.slice(2),
      person: 'p',
      platform: 'linux',
      version: '0',
      publicKey,
      isOnline: true,
      lastSeenAt: null,
    },
    ...(seals && { seals }),
  })),
  agents: [],
  archive,
})

/** Two machines that know each other. */
function pair() {
  const alice = machine('m-alice')
  const bob = machine('m-bob')
  const said = [alice.said(), bob.said()]
  alice.hears(said)
  bob.hears(said)
  return { alice, bob, said }
}

const message = (more: Partial<Envelope> = {}): Envelope => ({
  ...{
    v: 1,
    id: '0199c0de-0000-7000-8000-000000000011',
    org: ORG,
    stream: 's',
    outboxEpoch: 'e',
    seq: 0,
    ttlMs: 1_000,
  },
  ...{ priority: 1, ts: START, trace: 't', body: 'the body' },
  from: { machine: 'm-alice', agent: 'Alice', epoch: 1 },
  to: { machine: 'm-bob', agent: 'Bob' },
  ...more,
})

const without = ({ id, publicKey }: Said): Said => ({ id, publicKey })
const sealedBy = (sealer: Sealer, envelope = message()): Envelope => {
  const sealed = sealer.seal(envelope)
  if (sealed === undefined) throw new Error('it waits')
  return sealed
}

test('a body leaves sealed and is whole again at its machine, an empty place, too', () => {
  const { alice, bob } = pair()
  for (const envelope of [message(), message({ body: '', isVoid: true })]) {
    const sealed = sealedBy(alice.sealer, envelope)
    expect(sealed.body).toBe('')
    expect(JSON.stringify(sealed)).not.toContain('the body')
    expect(bob.sealer.open({ ...sealed, ttlMs: 5 })).toEqual({ ...envelope, ttlMs: 5 })
  }
})

test('what was changed, and what another machine sealed, is not opened, and said once', () => {
  const { alice, bob, said } = pair()
  const sealed = sealedBy(alice.sealer)
  for (let n = 0; n < 3; n++) expect(bob.sealer.open({ ...sealed, thread: 'other' })).toBeUndefined()
  expect(bob.warnings.filter((text) => /^alice: .*could not be opened/.test(text))).toHaveLength(1)
  expect(bob.sealer.view()?.problems).toHaveLength(1)
  const eve = machine('m-eve')
  eve.hears([...said, eve.said()])
  const forged = { ...sealedBy(eve.sealer), from: message().from }
  expect(bob.sealer.open(forged)).toBeUndefined()
  expect(bob.sealer.open(sealed)).toEqual(message())
  expect(bob.sealer.view()?.problems).toEqual([])
})

test('a machine that never had a key is written to in the clear, which status says', () => {
  const { alice, said } = pair()
  const old = { id: 'm-old', publicKey: newKeyPair('Ed25519').publicKey }
  alice.hears([...said, old])
  const envelope = message({ to: { machine: 'm-old', agent: 'Old' } })
  expect(alice.sealer.seal(envelope)).toEqual(envelope)
  const back = message({
    from: { machine: 'm-old', agent: 'Old', epoch: 1 },
    to: { machine: 'm-alice', agent: 'Alice' },
  })
  expect(alice.sealer.open(back)).toEqual(back)
  expect(alice.sealer.view()).toEqual({ mode: 'sealed', unsealedPeers: ['old'], problems: [] })
})

test('a machine that once had a key is never written to in the clear again, also by the next run', () => {
  const { alice, bob, said } = pair()
  const stripped = [said[0] as Said, without(said[1] as Said)]
  alice.hears(stripped)
  for (let run = 0; run < 2; run++) {
    expect(alice.sealer.seal(message())).toBeUndefined()
    const clear = message({
      from: { machine: 'm-bob', agent: 'Bob', epoch: 1 },
      to: { machine: 'm-alice', agent: 'Alice' },
    })
    expect(alice.sealer.open(clear)).toBeUndefined()
    expect(alice.sealer.view()?.problems.join()).toMatch(/bob: .*Messages to it wait here/)
    expect(alice.sealer.view()?.unsealedPeers).toEqual([])
    alice.restart()
  }
  expect(statSync(alice.paths.sealing).mode & 0o777).toBe(0o600)
  alice.hears(said)
  expect(bob.sealer.open(sealedBy(alice.sealer))).toEqual(message())
  expect(alice.sealer.view()?.problems).toEqual([])
})

test('nothing is sent in the clear while nobody is believed, to a machine that seals', () => {
  const { alice } = pair()
  alice.hears([], { roster: null })
  expect(alice.sealer.seal(message())).toBeUndefined()
})

test('a key that the machine itself has not signed is none', () => {
  const { alice, bob, said } = pair()
  const theirs = newKeyPair('X25519')
  const [, { seals: [own] = [] }] = said as [Said, Said]
  const put = (seals: SealKey[], more: Partial<Said> = {}) =>
    alice.hears([said[0] as Said, { ...(said[1] as Said), seals, ...more }])
  put([{ key: theirs.publicKey, signature: (own as SealKey).signature }])
  expect(alice.sealer.seal(message())).toBeUndefined()
  put([own as SealKey], { publicKey: newKeyPair('Ed25519').publicKey })
  expect(alice.sealer.seal(message())).toBeUndefined()
  put([own as SealKey], { publicKey: null })
  expect(alice.sealer.seal(message())).toBeUndefined()
  put([{ key: theirs.publicKey, signature: (own as SealKey).signature }, own as SealKey])
  expect(bob.sealer.open(sealedBy(alice.sealer))).toEqual(message())
})

test('a new key seals once the roster has it, and what was sealed before still opens', () => {
  const { alice, bob } = pair()
  const first = alice.said()
  const early = sealedBy(alice.sealer)
  alice.pass(7 * DAY_MS)
  const second = alice.said()
  expect(second.seals?.[1]).toEqual(first.seals?.[0])
  expect(sealedBy(alice.sealer).sealed?.by).toBe(early.sealed?.by)
  const back = message({
    from: { machine: 'm-bob', agent: 'Bob', epoch: 1 },
    to: { machine: 'm-alice', agent: 'Alice' },
  })
  const toFirst = sealedBy(bob.sealer, back)
  for (const one of [alice, bob]) one.hears([second, bob.said()])
  const late = sealedBy(alice.sealer)
  expect(late.sealed?.by).toBe(second.seals?.[0]?.key.slice(0, 11))
  expect(bob.sealer.open(late)).toEqual(message())
  expect(bob.sealer.open(early)).toEqual(message())
  expect(alice.sealer.open(toFirst)).toEqual(back)
  expect(alice.sealer.open(sealedBy(bob.sealer, back))).toEqual(back)
})

test('a lost key file makes a new key, and what was sealed to the old one is not opened', () => {
  const { alice, bob } = pair()
  const early = sealedBy(alice.sealer)
  rmSync(bob.paths.seal)
  bob.restart()
  expect(bob.sealer.open(early)).toBeUndefined()
  const said = [alice.said(), bob.said()]
  for (const one of [alice, bob]) one.hears(said)
  expect(bob.sealer.open(sealedBy(alice.sealer))).toEqual(message())
})

test('a body that is too long, though its machine sealed it, is not taken', () => {
  const { alice, bob } = pair()
  const long = message({ body: 'x'.repeat(MAX_BODY_BYTES) })
  expect(bob.sealer.open(sealedBy(alice.sealer, long))).toEqual(long)
  expect(bob.sealer.open(sealedBy(alice.sealer, message({ body: 'x'.repeat(MAX_BODY_BYTES + 1) })))).toBeUndefined()
  expect(bob.sealer.open(sealedBy(alice.sealer, message({ body: 'x'.repeat(3 * MAX_BODY_BYTES) })))).toBeUndefined()
})

test('a signal opens at its machine, from its machine, under its id, and as nothing else', () => {
  const { alice, bob } = pair()
  const signal: PeerSignal = { type: 'ping', id: '0199c0de-0000-7000-8000-0000000000aa' }
  const sealed = alice.sealer.sealSignal('m-bob', signal)
  if (sealed === undefined) throw new Error('not sealed')
  expect(bob.sealer.openSignal('m-alice', sealed)).toEqual(signal)
  expect(bob.sealer.openSignal('m-alice', sealed, signal.id)).toEqual(signal)
  expect(bob.sealer.openSignal('m-alice', sealed, '0199c0de-0000-7000-8000-0000000000ab')).toBeUndefined()
  expect(bob.sealer.openSignal('m-bob', sealed)).toBeUndefined()
  expect(alice.sealer.openSignal('m-bob', { ...sealed, by: sealed.to, to: sealed.by })).toBeUndefined()
  expect(bob.sealer.open(message({ sealed, body: '' }))).toBeUndefined()
  expect(
    bob.sealer.openSignal('m-alice', sealedBy(alice.sealer).sealed as NonNullable<Envelope['sealed']>),
  ).toBeUndefined()
  expect(alice.sealer.sealSignal('m-nobody', signal)).toBeUndefined()
})

test('the archive gets bodies only while the organization has one', () => {
  const { alice, said } = pair()
  const archive = newKeyPair('X25519')
  expect(alice.sealer.sealArchive('1', 'the body')).toBeUndefined()
  alice.hears(said, { archive: archive.publicKey })
  expect(alice.sealer.view()?.mode).toBe('archived')
  const sealed = alice.sealer.sealArchive('1', 'the body')
  if (sealed === undefined) throw new Error('not sealed')
  const way = { org: ORG, from: 'm-alice', to: 'archive' }
  const key = said[0]?.seals?.[0]?.key as string
  expect(createSealBox([archive]).openText(way, ['archive', '1'], sealed, [key])).toBe('the body')
  alice.hears(said)
  expect(alice.sealer.sealArchive('1', 'the body')).toBeUndefined()
})

test('linked to nothing there are no keys, and nothing to say of them', () => {
  const { alice } = pair()
  alice.hears([], { self: null, roster: null })
  expect(alice.sealer.keys()).toEqual([])
  expect(alice.sealer.view()).toBeNull()
})

test('a broken file of keys keeps the daemon from starting, in a sentence', () => {
  const { alice } = pair()
  const { writeFileSync } = process.getBuiltinModule('node:fs')
  writeFileSync(alice.paths.seal, readFileSync(alice.paths.seal, 'utf8').slice(5))
  expect(() => alice.restart()).toThrow(/seal\.key does not hold the keys/)
})

test('without sealing, for a benchmark, bodies go in the clear and are taken so', () => {
  const { alice, bob } = pair()
  for (const one of [alice, bob]) one.restart({ isOff: true })
  expect(alice.sealer.seal(message())).toEqual(message())
  expect(bob.sealer.open(message())).toEqual(message())
  expect(alice.warnings).toContain('bodies are NOT sealed: this is a benchmark')
})
