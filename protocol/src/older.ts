/** Frames as the older version knows them: without what a newer one added. Whoever sends decides, because old programs cannot. */
import type { ReturnBatch } from './control.ts'
import type { Envelope } from './envelope.ts'
import { codeIn, type WireError } from './errors.ts'
import type { Roster, RosterDelta, RosterMachine } from './roster.ts'

export const errorIn = (version: number, error: WireError): WireError => {
  const code = codeIn(version, error.code)
  return code === error.code ? error : { ...error, code }
}

export function rosterIn(version: number, roster: Roster): Roster {
  if (version >= 3) return roster
  const { archive: _, ...second } = roster
  const machines = roster.machines.map(withoutSeals)
  if (version === 2) return { ...second, machines }
  const { cloud, people: __, channels: ___, ...first } = second
  return { ...first, machines: machines.filter(({ id }) => id !== cloud) }
}

const withoutSeals = ({ seals: _, ...machine }: RosterMachine): RosterMachine => machine

/** A delta of people alone stays, empty: the version that it brings is the base of the next. */
export function deltaIn(version: number, delta: RosterDelta): RosterDelta {
  if (version >= 3) return delta
  const { archive: _, ...second } = delta
  const machines = delta.machines.map(withoutSeals)
  if (version === 2) return { ...second, machines }
  const { people: __, channels: ___, ...first } = second
  return { ...first, machines }
}

/**
 * To version 1 a person's message comes from the agent `dashboard` of the control plane's machine. What is sealed cannot
 * be said to an older version than 3 at all: whoever sends lets it wait.
 */
export function envelopeIn(version: number, envelope: Envelope): Envelope {
  if (version >= 2) return envelope
  const { user: _, ...from } = envelope.from
  const { user: __, channel: ___, ...to } = envelope.to
  return { ...envelope, from, to }
}

/** Undefined when nothing is left to say. */
export function returnIn(version: number, batch: ReturnBatch): ReturnBatch | undefined {
  if (version >= 3) return batch
  const { acks, gaps, heard } = batch
  const receipts = batch.receipts.map((receipt) =>
    receipt.reason === undefined ? receipt : { ...receipt, reason: codeIn(version, receipt.reason) },
  )
  if (version === 2) return { acks, gaps, receipts, ...(heard && { heard }) }
  return acks.length + gaps.length + receipts.length === 0 ? undefined : { acks, gaps, receipts }
}
