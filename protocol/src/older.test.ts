import { describe, expect, test } from 'vitest'
import { casesOf, golden } from '../fixtures/index.ts'
import { asVersion1 } from '../transcripts/index.ts'
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

test('the tables end with the version that is spoken, and the one before is spoken too', () => {
  for (const [table, newest, oldest] of [
    [controlVersions, CONTROL_VERSION, OLDEST_CONTROL_VERSION],
    [localVersions, LOCAL_VERSION, OLDEST_LOCAL_VERSION],
  ] as const) {
    expect(table.map(({ v }) => v)).toEqual(Array.from({ length: newest }, (_, n) => n + 1))
    expect(oldest).toBe(newest - 1)
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

describe('a program of version 1 accepts', () => {
  const parsed = (event: string, frame: unknown) => expect(asVersion1(event).parse(frame)).toEqual(frame)

  test.each(casesOf('control', 'welcome'))('welcome.$case', ({ value }) => {
    const frame = value as ReturnType<typeof golden>
    parsed('welcome', { ...frame, v: 1, roster: rosterIn(1, frame.roster) })
  })

  test.each(casesOf('control', 'roster'))('roster.$case', ({ value }) => parsed('roster', deltaIn(1, value as never)))

  test.each(casesOf('envelope', 'envelope'))('envelope.$case', ({ value }) =>
    parsed('deliver', { envelopes: [envelopeIn(1, value as never)] }),
  )

  test.each(casesOf('control', 'returned'))('returned.$case, or hears nothing', ({ value }) => {
    const { from, batch } = value as ReturnType<typeof golden>
    const told = returnIn(1, batch)
    if (batch.heard !== undefined && batch.receipts.length === 0) expect(told).toBeUndefined()
    else parsed('returned', { from, batch: told })
  })

  test.each(ErrorCode.options)('%s, as it is told it', (code) => {
    parsed('goodbye', errorIn(1, { code, message: 'x' }))
    const receipt = { id: golden('envelope/envelope.minimal').id, state: 'failed', to: 'm', reason: code } as const
    parsed('returned', { from: 'm', batch: returnIn(1, { acks: [], gaps: [], receipts: [receipt] }) })
    expect(codeIn(2, code)).toBe(code)
  })
})

test('what is new is not of version 1, so the tests above can fail', () => {
  const refuses = (event: string, frame: unknown) => expect(asVersion1(event).safeParse(frame).success).toBe(false)
  refuses('welcome', { ...golden('control/welcome.people'), v: 1 })
  refuses('welcome', golden('control/welcome.usual'))
  refuses('roster', golden('control/roster.people'))
  refuses('deliver', { envelopes: [golden('envelope/envelope.user')] })
  refuses('returned', golden('control/returned.heard'))
  refuses('goodbye', { code: 'UNKNOWN_FRAME', message: 'x' })
})
