/** The golden frames against the schemas, both ways. The two programs have tests of their own against the same files. */
import { describe, expect, test } from 'vitest'
import type { z } from 'zod'
import { catalogue } from '../fixtures/catalogue.ts'
import { fixtures } from '../fixtures/index.ts'

const named = fixtures.map((one) => ({ ...one, name: `${one.channel}/${one.frame}.${one.case}` }))
const schemaOf = ({ channel, frame }: { channel: string; frame: string }): z.ZodType | undefined =>
  catalogue[channel]?.[frame]
const frames = Object.entries(catalogue).flatMap(([channel, all]) =>
  Object.keys(all).map((frame) => ({ channel, frame })),
)

test.each(frames)('$channel/$frame has a golden frame', ({ channel, frame }) => {
  const files = fixtures.filter((one) => one.channel === channel && one.frame === frame)
  expect(files.length, `add protocol/fixtures/${channel}/${frame}.<case>.json`).toBeGreaterThan(0)
})

test.each(named)('$name is of a frame that exists', (one) => {
  expect(schemaOf(one), 'a file of no frame: was the frame renamed?').toBeDefined()
})

describe.each(named)('$name', (one) => {
  const schema = schemaOf(one) as z.ZodType

  test('is read and written again byte for byte', () => {
    expect(`${JSON.stringify(schema.parse(JSON.parse(one.text)), null, 2)}\n`).toBe(one.text)
  })

  test('is read the same with fields that only a later version knows', () => {
    expect(without(schema.parse(withLater(one.value)))).toEqual(one.value)
  })
})

const LATER = 'since-a-later-version'

/** Every object of the value with one field more. */
function withLater(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withLater)
  if (typeof value !== 'object' || value === null) return value
  const inner = Object.entries(value).map(([key, part]) => [key, withLater(part)])
  return { ...Object.fromEntries(inner), [LATER]: 'x' }
}

/** Without what free records (details, environments) keep of it. */
function without(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(without)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, part]) => (key === LATER ? [] : [[key, without(part)]])),
  )
}
