import { type Envelope, Envelope as EnvelopeSchema, isPlainEnvelope, MAX_SEALED_LENGTH } from '@agent-relay/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type KeyPair, newKeyPair } from './keys.ts'
import { createSealBox, type Header } from './seal.ts'

const alice = newKeyPair('X25519')
const bob = newKeyPair('X25519')
const aliceBox = createSealBox([alice])
const bobBox = createSealBox([bob])

const header: Required<Header> = {
  v: 1,
  id: '0199c0de-0000-7000-8000-000000000011',
  org: '0199c0de-0000-7000-8000-000000000001',
  from: { machine: 'm-alice', agent: 'Alice', epoch: 3, user: 'ann' },
  to: { machine: 'm-bob', agent: 'Bob', project: 'api', via: 'api:*', channel: 'ops', user: 'bo' },
  thread: 'release',
  replyTo: '0199c0de-0000-7000-8000-000000000010',
  stream: 'alice>bob@m-bob',
  outboxEpoch: 'e1',
  seq: 7,
  priority: 1,
  ts: 1_767_225_600_000,
  trace: 'trace-1',
  isVoid: true,
}
const { isVoid: _, ...spoken } = header

const sealed = (body = 'hello', head: Header = spoken, box = aliceBox) => ({
  ...head,
  sealed: box.seal(head, body, bob.publicKey),
})
const opened = (envelope: ReturnType<typeof sealed>, box = bobBox, by: string[] = [alice.publicKey]) =>
  box.open(envelope, by)

test('what is sealed is the very body again, for its machine and from its machine', () => {
  expect(opened(sealed())).toBe('hello')
  expect(opened(sealed(''))).toBe('')
})

/** Every way of changing one field, as a path and its other value; absent ones are taken away. */
const changes: [string, (copy: Required<Header>) => unknown][] = [
  ['id', (e) => (e.id = '0199c0de-0000-7000-8000-000000000012')],
  ['org', (e) => (e.org = 'other')],
  ['from.machine', (e) => (e.from.machine = 'm-eve')],
  ['from.agent', (e) => (e.from.agent = 'Eve')],
  ['from.epoch', (e) => e.from.epoch++],
  ['from.user', (e) => (e.from.user = 'eve')],
  ['no from.user', (e) => delete e.from.user],
  ['to.machine', (e) => (e.to.machine = 'm-eve')],
  ['to.agent', (e) => (e.to.agent = 'Eve')],
  ['to.project', (e) => (e.to.project = 'web')],
  ['no to.project', (e) => delete e.to.project],
  ['to.via', (e) => (e.to.via = '*:*')],
  ['empty to.via', (e) => (e.to.via = '')],
  ['no to.via', (e) => delete e.to.via],
  ['to.channel', (e) => (e.to.channel = 'dev')],
  ['no to.channel', (e) => delete e.to.channel],
  ['to.user', (e) => (e.to.user = 'eve')],
  ['no to.user', (e) => delete e.to.user],
  ['thread', (e) => (e.thread = 'releasf')],
  ['no thread', (e) => delete (e as Partial<Header>).thread],
  ['replyTo', (e) => (e.replyTo = e.id)],
  ['no replyTo', (e) => delete (e as Partial<Header>).replyTo],
  ['stream', (e) => (e.stream = 'alice>bob@m-eve')],
  ['outboxEpoch', (e) => (e.outboxEpoch = 'e2')],
  ['seq', (e) => e.seq++],
  ['priority', (e) => (e.priority = 2)],
  ['ts', (e) => e.ts++],
  ['trace', (e) => (e.trace = 'trace-2')],
  ['no isVoid', (e) => delete (e as Partial<Header>).isVoid],
  ['swapped neighbours', (e) => ([e.to.channel, e.to.user] = [e.to.user, e.to.channel])],
  ['one field flowing into the next', (e) => ([e.stream, e.outboxEpoch] = ['alice>bob@m-bobe', '1'])],
]

test.each(changes)('a message whose %s was changed on its way is refused', (_, change) => {
  const envelope = structuredClone({ ...header, sealed: aliceBox.seal(header, 'hello', bob.publicKey) })
  expect(opened(envelope)).toBe('hello')
  change(envelope)
  expect(opened(envelope)).toBeUndefined()
})

test('every field of an envelope is bound but the time that every holder counts down', () => {
  const bound = new Set(changes.map(([name]) => name.replace(/^(no|empty) /, '')))
  const fields = Object.entries(header).flatMap(([name, value]) =>
    typeof value === 'object' ? Object.keys(value).map((inner) => `${name}.${inner}`) : name,
  )
  expect(fields.filter((name) => name !== 'v' && !bound.has(name))).toEqual([])
  const parts = Object.keys(EnvelopeSchema.shape).filter((name) => !['body', 'sealed', 'ttlMs'].includes(name))
  expect(parts.sort()).toEqual(Object.keys(header).sort())
})

test('halves of characters in a header are told apart', () => {
  const envelope = sealed('hello', { ...spoken, thread: 'a\ud800' })
  expect(opened(envelope)).toBe('hello')
  expect(opened({ ...envelope, thread: 'a\ud801' })).toBeUndefined()
})

test('a message sent back to its sender is not one from the recipient', () => {
  const there = sealed()
  const back = {
    ...there,
    from: { ...there.from, machine: 'm-bob' },
    to: { ...there.to, machine: 'm-alice' },
    sealed: { ...there.sealed, by: there.sealed.to, to: there.sealed.by },
  }
  expect(aliceBox.open(back, [bob.publicKey])).toBeUndefined()
})

test('a third machine can neither read a message nor write one in the name of another', () => {
  const eve = newKeyPair('X25519')
  const eveBox = createSealBox([eve])
  const envelope = sealed()
  expect(eveBox.open(envelope, [alice.publicKey])).toBeUndefined()
  expect(
    eveBox.open({ ...envelope, sealed: { ...envelope.sealed, to: eve.publicKey.slice(0, 11) } }, [alice.publicKey]),
  ).toBeUndefined()
  expect(opened(sealed('hello', spoken, eveBox))).toBeUndefined()
  const forged = sealed('hello', spoken, eveBox)
  expect(opened({ ...forged, sealed: { ...forged.sealed, by: alice.publicKey.slice(0, 11) } })).toBeUndefined()
})

test('garbage, truncated data and short tags are refused', () => {
  const envelope = sealed('a longer body')
  const data = Buffer.from(envelope.sealed.data, 'base64url')
  const withData = (bytes: Uint8Array | string) =>
    opened({
      ...envelope,
      sealed: {
        ...envelope.sealed,
        data: typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('base64url'),
      },
    })
  expect(withData(data)).toBe('a longer body')
  for (let length = 0; length < data.length; length++) expect(withData(data.subarray(0, length))).toBeUndefined()
  for (let n = 0; n < data.length; n++) {
    const changed = Buffer.from(data)
    changed[n] = (changed[n] as number) ^ 1
    expect(withData(changed)).toBeUndefined()
  }
  for (const garbage of ['', '!!!', 'A'.repeat(39), 'A'.repeat(400), '\0', '🚀'.repeat(40)])
    expect(withData(garbage)).toBeUndefined()
  for (const id of ['', 'A', 'A'.repeat(11), alice.publicKey, alice.publicKey.slice(0, 10)]) {
    expect(opened({ ...envelope, sealed: { ...envelope.sealed, by: id } })).toBeUndefined()
    expect(opened({ ...envelope, sealed: { ...envelope.sealed, to: id } })).toBeUndefined()
  }
})

test('a sender key that is none is refused without an exception, and a recipient key that is none with one', () => {
  const envelope = sealed()
  const none = `${alice.publicKey.slice(0, 11)}!!!`
  expect(opened(envelope, bobBox, [none])).toBeUndefined()
  expect(() => aliceBox.seal(header, 'x', 'no key')).toThrow()
  // The point of order one agrees with everybody on zeros.
  expect(() => aliceBox.seal(header, 'x', Buffer.alloc(32).toString('base64url'))).toThrow()
})

test('two seals of one message have nothing in common', () => {
  const nonces = new Set(Array.from({ length: 2_000 }, () => sealed().sealed.data.slice(0, 16)))
  expect(nonces.size).toBe(2_000)
  const again = createSealBox([alice])
  expect(nonces.has(sealed('hello', spoken, again).sealed.data.slice(0, 16))).toBe(false)
})

test('what was sealed to an older key opens while its private half is kept', () => {
  const next = newKeyPair('X25519')
  const box = createSealBox([bob])
  const before = sealed('before')
  box.setKeys([bob, next])
  const after = { ...spoken, sealed: aliceBox.seal(spoken, 'after', next.publicKey) }
  expect(opened(before, box)).toBe('before')
  expect(opened(after, box)).toBe('after')
  box.setKeys([next])
  expect(opened(before, box)).toBeUndefined()
  expect(opened(after, box)).toBe('after')
})

test('the last of its keys seals, and the recipient may know several of a sender', () => {
  const older = newKeyPair('X25519')
  const box = createSealBox([older, alice])
  const envelope = sealed('hello', spoken, box)
  expect(envelope.sealed.by).toBe(alice.publicKey.slice(0, 11))
  expect(opened(envelope, bobBox, [older.publicKey, alice.publicKey])).toBe('hello')
  expect(opened(envelope, bobBox, [older.publicKey])).toBeUndefined()
  box.setKeys([alice, older])
  expect(opened(sealed('hello', spoken, box), bobBox, [older.publicKey])).toBe('hello')
})

test('a message of one organization is none of another, with the same keys and machines', () => {
  const envelope = sealed()
  expect(opened({ ...envelope, org: 'other' })).toBeUndefined()
  expect(opened(envelope)).toBe('hello')
})

test('bodies of 256 KiB, and the widest there are, stay within the bound', () => {
  const widest = '\ud800'.repeat(Math.floor((256 * 1024) / 3))
  for (const body of ['x'.repeat(256 * 1024), '🚀'.repeat(64 * 1024), widest, `${'x'.repeat(256 * 1024 - 3)}\udfff`]) {
    const envelope = sealed(body)
    expect(envelope.sealed.data.length).toBeLessThanOrEqual(MAX_SEALED_LENGTH)
    expect(opened(envelope)).toBe(body)
  }
})

test('a sealed message is a plain envelope on the wire', () => {
  const { user: _, ...from } = spoken.from
  const { channel: __, user: ___, ...to } = spoken.to
  const envelope: Envelope = { ...sealed('hello', { ...spoken, from, to }), ttlMs: 1_000, body: '' }
  expect(isPlainEnvelope(JSON.parse(JSON.stringify(envelope)))).toBe(true)
  expect(EnvelopeSchema.parse(JSON.parse(JSON.stringify(envelope)))).toEqual(envelope)
})

test('any text comes back, whatever the header says', () => {
  const text = fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((n) => String.fromCharCode(n)) })
  const wide = fc.string({ unit: 'binary', maxLength: 200 })
  fc.assert(
    fc.property(fc.oneof(text, wide), text, text, fc.nat(), (body, thread, via, seq) => {
      const head = { ...spoken, thread, to: { ...spoken.to, via }, seq }
      const onWire = JSON.parse(JSON.stringify(sealed(body, head))) as ReturnType<typeof sealed>
      expect(opened(onWire)).toBe(body)
    }),
  )
})

test('a text is opened only as what it is', () => {
  const way = { org: 'o', from: 'm-alice', to: 'm-bob' }
  const signal = aliceBox.sealText(way, ['signal'], 'hi', bob.publicKey)
  const archive = aliceBox.sealText(way, ['archive', '1'], 'hi', bob.publicKey)
  const keys = [alice.publicKey]
  expect(bobBox.openText(way, ['signal'], signal, keys)).toBe('hi')
  expect(bobBox.openText(way, ['archive', '1'], archive, keys)).toBe('hi')
  expect(bobBox.openText(way, ['archive', '1'], signal, keys)).toBeUndefined()
  expect(bobBox.openText(way, ['archive', '2'], archive, keys)).toBeUndefined()
  expect(bobBox.openText(way, ['signal'], archive, keys)).toBeUndefined()
  for (const other of [{ org: 'p' }, { from: 'm-eve' }, { to: 'm-eve' }, { from: 'm-bob', to: 'm-alice' }])
    expect(bobBox.openText({ ...way, ...other }, ['signal'], signal, keys)).toBeUndefined()
  expect(opened({ ...spoken, org: 'o', sealed: signal })).toBeUndefined()
})

test('agreements are kept for so many others only, and made again', () => {
  const others: KeyPair[] = Array.from({ length: 20 }, () => newKeyPair('X25519'))
  const box = createSealBox([alice])
  for (let round = 0; round < 2; round++)
    for (const other of others) {
      const envelope = { ...spoken, sealed: box.seal(spoken, 'hello', other.publicKey) }
      expect(createSealBox([other]).open(envelope, [alice.publicKey])).toBe('hello')
    }
  for (let n = 0; n < 100; n++) {
    const head = { ...spoken, to: { ...spoken.to, machine: `m-${n}` } }
    expect(bobBox.open({ ...head, sealed: box.seal(head, 'hello', bob.publicKey) }, [alice.publicKey])).toBe('hello')
  }
})
