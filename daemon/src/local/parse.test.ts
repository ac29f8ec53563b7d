import { casesOf, fixtures } from '@agent-relay/protocol/fixtures'
import { mutated } from '@agent-relay/protocol/fixtures/mutate'
import { Hello, LocalRequest } from '@agent-relay/protocol/local'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { RelayError } from '../errors.ts'
import { parseLine } from './parse.ts'

const bySchema = (line: string): { ok: true; frame: unknown } | { ok: false } => {
  const value: unknown = JSON.parse(line)
  const schema = (value as { type?: unknown } | null)?.type === 'hello' ? Hello : LocalRequest
  const parsed = schema.safeParse(value)
  return parsed.success ? { ok: true, frame: parsed.data } : { ok: false }
}

const byHand = (line: string): { ok: true; frame: unknown } | { ok: false } => {
  try {
    return { ok: true, frame: parseLine(line).frame }
  } catch (error) {
    expect(error).toBeInstanceOf(RelayError)
    return { ok: false }
  }
}

describe('a line', () => {
  const quick = [...casesOf('local', 'send'), ...casesOf('local', 'mark')]
  const others = fixtures.filter(({ channel }) => channel === 'local')

  test.each([
    ['send and mark, which are checked by hand,', quick],
    ['every frame', others],
  ])('%s is read exactly as its schema reads it', (_, golden) => {
    const line = fc.constantFrom(...golden).chain(({ value }) => fc.oneof(fc.constant(value), mutated(value)))
    fc.assert(
      fc.property(line, (value) => {
        const text = JSON.stringify(value)
        expect(byHand(text)).toStrictEqual(bySchema(text))
      }),
      { numRuns: 5000 },
    )
  })

  test('of an unknown type is UNKNOWN_FRAME, with its id when it has one', () => {
    const refusal = (line: string) => {
      try {
        return parseLine(line)
      } catch (error) {
        return error
      }
    }
    expect(refusal('{"type":"teleport","id":7}')).toMatchObject({ code: 'UNKNOWN_FRAME', details: { id: 7 } })
    expect(refusal('{"type":"teleport"}')).toMatchObject({ code: 'UNKNOWN_FRAME', details: { id: null } })
    expect(refusal('{"id":7}')).toMatchObject({ code: 'BAD_REQUEST', details: { id: 7 } })
    expect(refusal('{"type":"teleport","id":-1}')).toMatchObject({ code: 'UNKNOWN_FRAME', details: { id: null } })
  })
})
