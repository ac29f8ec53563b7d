import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { casesOf, fixtures, golden } from '../fixtures/index.ts'
import { mutated } from '../fixtures/mutate.ts'
import { formatAddress, parseAddress } from './address.ts'
import { controlProofText, isPlainBatch, RelayBatch } from './control.ts'
import { Envelope, isPlainEnvelope, utf8Length } from './envelope.ts'
import { AgentName, nearestNames, suggestName, toName } from './names.ts'
import { isLater } from './receipt.ts'

const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_-]{0,20}$/)

describe('addresses', () => {
  test('every address survives being written and read', () => {
    const address = fc.oneof(
      name.map((n) => ({ kind: 'agent' as const, name: n })),
      fc.tuple(name, name).map(([project, n]) => ({ kind: 'agent' as const, project, name: n })),
      name.map((project) => ({ kind: 'project' as const, project })),
      fc.constant({ kind: 'own-project' as const }),
      fc.constant({ kind: 'everyone' as const }),
      name.map((channel) => ({ kind: 'channel' as const, channel })),
      name.map((user) => ({ kind: 'user' as const, user })),
    )
    fc.assert(
      fc.property(address, (a) => {
        expect(parseAddress(formatAddress(a))).toEqual({ ok: true, address: a })
      }),
    )
  })

  test('no text makes the parser throw, and what it refuses it names', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const parsed = parseAddress(text)
        if (!parsed.ok) expect(parsed.reason).toContain('is not an address')
      }),
    )
  })

  test.each(['', 'a b', 'Bob\n', '9lives', ':Bob', 'p:', 'p:*:*', '*:Bob', '#', '@', 'x'.repeat(65)])(
    'refuses %j',
    (text) => {
      expect(parseAddress(text).ok).toBe(false)
    },
  )
})

describe('names', () => {
  test('a slip of the finger finds the name, a stranger finds nothing', () => {
    const known = ['Alice', 'Bob', 'Carol', 'API', 'Designer']
    expect(nearestNames('Alcie', known)).toEqual(['Alice'])
    expect(nearestNames('Bbo', known)).toEqual(['Bob'])
    expect(nearestNames('xbo', known)).toEqual([])
    expect(nearestNames('bo', known)).toEqual(['Bob'])
    expect(nearestNames('carrol', known)).toEqual(['Carol'])
    expect(nearestNames('Zaphod', known)).toEqual([])
  })

  test('a suggestion is free and valid even for the longest name', () => {
    const taken = new Set(['a-2', 'a-3'])
    expect(suggestName('A', (key) => taken.has(key))).toBe('A-4')
    expect(AgentName.safeParse(suggestName('x'.repeat(64), () => false)).success).toBe(true)
  })

  test('whatever toName makes is a name', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const made = toName(text)
        if (made !== undefined) expect(AgentName.safeParse(made).success).toBe(true)
      }),
    )
    expect(toName('Zoë Müller')).toBe('Zoe-Muller')
  })
})

test('UTF-8 length equals what an encoder makes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      expect(utf8Length(text)).toBe(new TextEncoder().encode(text).length)
    }),
  )
})

test('the text that a machine signs is different for every different challenge', () => {
  const part = fc.string({ maxLength: 12 })
  fc.assert(
    fc.property(part, part, part, part, part, part, part, part, (a, b, c, d, e, f, g, h) => {
      const one = controlProofText({ org: a, machineId: b, nonce: c }, d)
      const two = controlProofText({ org: e, machineId: f, nonce: g }, h)
      expect(one === two).toBe(a === e && b === f && c === g && d === h)
    }),
  )
})

test('a state is later only when it says more', () => {
  expect(isLater('accepted', 'stored')).toBe(true)
  expect(isLater('stored', 'accepted')).toBe(false)
  expect(isLater('injected', 'injected')).toBe(false)
})

describe('what is checked by hand because it comes by the thousand', () => {
  const envelopes = fixtures.filter(({ channel, frame }) => channel === 'envelope' && frame === 'envelope')
  const usual = golden('envelope/envelope.minimal')
  const batches = [...casesOf('control', 'relay'), { value: { envelopes: [usual, { ...usual, thread: 'x' }] } }]

  test('is taken when it is of the usual shape', () => {
    expect(isPlainEnvelope(usual)).toBe(true)
    expect(
      isPlainEnvelope({
        ...usual,
        thread: 'x',
        replyTo: usual.id,
      }),
    ).toBe(true)
    expect(isPlainEnvelope({ ...usual, to: { ...usual.to, project: 'api.v2', via: '*:*' } })).toBe(true)
    expect(isPlainBatch({ envelopes: [usual] })).toBe(true)
  })

  test.each([
    ['an envelope', isPlainEnvelope, Envelope, envelopes],
    ['a batch', isPlainBatch, RelayBatch, batches],
  ])('%s is taken only when the schema takes it as it is', (_, isPlain, schema, all) => {
    let taken = 0
    const frame = fc
      .constantFrom<{ value: unknown }[]>(...all)
      .chain(({ value }) => fc.oneof(fc.constant(value), mutated(value)))
    fc.assert(
      fc.property(frame, (value) => {
        if (!isPlain(value)) return
        taken++
        expect(schema.parse(value)).toStrictEqual(value)
      }),
      { numRuns: 5000 },
    )
    expect(taken, 'cases that show anything').toBeGreaterThan(100)
  })
})
