import { describe, expect, test } from 'vitest'
import { casesOf, golden } from '../fixtures/index.ts'
import { asVersion } from '../transcripts/index.ts'
import { machineFrames } from './control.ts'
import { codeIn, ErrorCode } from './errors.ts'
import { localResults } from './local.ts'
import { deltaIn, envelopeIn, errorIn, returnIn, rosterIn } from './older.ts'
import {
  CONTROL_VERSION,
  controlVersions,
  LOCAL_VERSION,
  localVersions,
  OLDEST_CONTROL_VERSION,
  OLDEST_LOCAL_VERSION,
} from './versions.ts'

test('the tables end with the version that is spoken, and the oldest of them is spoken too', () => {
  for (const [table, newest, oldest] of [
    [controlVersions, CONTROL_VERSION, OLDEST_CONTROL_VERSION],
    [localVersions, LOCAL_VERSION, OLDEST_LOCAL_VERSION],
  ] as const) {
    expect(table.map(({ v }) => v)).toEqual(Array.from({ length: newest }, (_, n) => n + 1))
    expect(oldest).toBe(1)
  }
})

test.each([
  ['controlVersions', controlVersions, Object.keys(machineFrames)],
  ['localVersions', localVersions, Object.keys(localResults)],
])('every frame stands in one row of %s', (name, table, frames) => {
  const rows = table.flatMap((row) => row.frames)
  for (const frame of frames)
    expect(
      rows.filter((one) => one === frame),
      `${frame}: add it to the newest row of ${name} in versions.ts`,
    ).toHaveLength(1)
})

/** The golden frame as it was before it was signed. */
const plain = (value: { text?: unknown }) => (typeof value.text === 'string' ? JSON.parse(value.text) : value)

describe.each([1, 2] as const)('a program of version %i accepts', (v) => {
  const parsed = (event: string, frame: unknown) => expect(asVersion(v, event).parse(frame)).toEqual(frame)

  test.each(casesOf('control', 'welcome'))('welcome.$case', ({ value }) => {
    const { controlKey: _, ...frame } = value as ReturnType<typeof golden>
    parsed('welcome', { ...frame, v, roster: rosterIn(v, plain(frame.roster)) })
  })

  test.each(casesOf('control', 'roster'))('roster.$case', ({ value }) =>
    parsed('roster', deltaIn(v, plain(value as object))),
  )

  test.each(casesOf('envelope', 'envelope'))('envelope.$case, unless it is sealed', ({ value }) => {
    const envelope = value as ReturnType<typeof golden>
    if (envelope.sealed === undefined) parsed('deliver', { envelopes: [envelopeIn(v, envelope)] })
  })

  test.each(casesOf('control', 'returned'))('returned.$case, or hears nothing', ({ value }) => {
    const { from, batch } = value as ReturnType<typeof golden>
    const told = returnIn(v, batch)
    if (v === 1 && batch.heard !== undefined && batch.receipts.length === 0) expect(told).toBeUndefined()
    else parsed('returned', { from, batch: told })
  })

  test.each(ErrorCode.options)('%s, as it is told it', (code) => {
    parsed('goodbye', errorIn(v, { code, message: 'x' }))
    const receipt = { id: golden('envelope/envelope.minimal').id, state: 'failed', to: 'm', reason: code } as const
    parsed('returned', { from: 'm', batch: returnIn(v, { acks: [], gaps: [], receipts: [receipt] }) })
    expect(codeIn(3, code)).toBe(code)
  })
})

test('what is new is not of an older version, so the tests above can fail', () => {
  const refuses = (v: 1 | 2, event: string, frame: unknown) =>
    expect(asVersion(v, event).safeParse(frame).success).toBe(false)
  refuses(1, 'welcome', { ...golden('control/welcome.people'), v: 1 })
  refuses(1, 'welcome', golden('control/welcome.usual'))
  refuses(1, 'roster', golden('control/roster.people'))
  refuses(1, 'deliver', { envelopes: [golden('envelope/envelope.user')] })
  refuses(1, 'returned', golden('control/returned.heard'))
  refuses(1, 'goodbye', { code: 'UNKNOWN_FRAME', message: 'x' })
  refuses(2, 'welcome', golden('control/welcome.signed'))
  refuses(2, 'roster', golden('control/roster.signed'))
  const { roster, controlKey: _, ...rest } = golden('control/welcome.signed')
  refuses(2, 'welcome', { ...rest, v: 2, roster: JSON.parse(roster.text) })
  refuses(2, 'roster', JSON.parse(golden('control/roster.signed').text))
  refuses(2, 'heartbeat', golden('control/heartbeat.answer.fresh'))
  refuses(2, 'goodbye', golden('control/goodbye.cloned'))
  const receipt = { id: golden('envelope/envelope.minimal').id, state: 'failed', to: 'm', reason: 'UNTRUSTED' }
  refuses(2, 'returned', { from: 'm', batch: { acks: [], gaps: [], receipts: [receipt] } })
  const sealed = { by: 'a'.repeat(11), to: 'b'.repeat(11), data: 'c'.repeat(60) }
  refuses(2, 'deliver', { envelopes: [{ ...golden('envelope/envelope.minimal'), body: '', sealed }] })
})
