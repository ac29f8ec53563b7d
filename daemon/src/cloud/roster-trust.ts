/**
 * Which rosters this machine believes: those of its own organization, signed by the one key that it was told first, never older
 * than one that it has seen, and never with another identity for a machine that it knows. Everything else is UNTRUSTED, and
 * nothing of it is taken. Versions 1 and 2 sign nothing; they are believed only by a home that was never told a key.
 */
import {
  type Challenge,
  CONTROL_VERSION,
  Freshness,
  Roster,
  RosterDelta,
  type RosterMachine,
  Signed,
  type SignedKind,
  SignedWelcome,
  Welcome,
} from '@agent-relay/protocol'
import { readSigned } from '@agent-relay/protocol/crypto'
import type { z } from 'zod'
import { RelayError } from '../errors.ts'
import { nonsense } from './trouble.ts'

/** The first version whose rosters are signed. */
export const SIGNED_SINCE = 3

/** A roster as this machine has it from before. */
type KnownRoster = { version: number; machines: ReadonlyMap<string, { publicKey: string | null }> }

export type RosterTrust = {
  /** Ids of the organization and of this machine in it, as the home was linked. */
  org: string
  machine: string
  /** base64url; undefined as long as this home was told none. */
  controlKey(): string | undefined
  /** Keeps the first key that was told; on disk when it returns. Throws when it cannot. */
  pin(key: string): void
  /** The newest roster of this organization that is known, from this run or an earlier one. */
  known(): KnownRoster | undefined
}

/** Each reads a frame of the version that is spoken; throws UNTRUSTED, or INTERNAL for what is no such frame. */
export type RosterReader = {
  /** Whether nothing unsigned is believed any more. */
  isPinned(): boolean
  /** The newest version seen; null before the first. */
  newest(): number | null
  /** Throws when the control plane means another machine or organization: this one signs nothing for those. */
  mustBeForUs(challenge: Challenge): void
  /** Pins the key when it is the first. */
  welcome(frame: unknown, speaks: number): Welcome
  roster(frame: unknown, speaks: number): Roster
  /** Whether it fits the roster that is held is not looked at. */
  delta(frame: unknown, speaks: number): RosterDelta
  fresh(frame: Signed): Freshness
  /** A delta with this version was applied. */
  took(version: number): void
}

export function rosterReader(url: string, trust: RosterTrust): RosterReader {
  let newest: number | null = null
  /** Of every machine ever seen here, also of those that are gone: an id does not come back as somebody else. */
  const identities = new Map<string, string>()

  const untrusted = (what: string): RelayError =>
    new RelayError(
      'UNTRUSTED',
      `${url} ${what}, so nothing of it is believed. Ask whoever operates it what changed; if that is right, run: agent-relay unlink && agent-relay link`,
    )

  function newestKnown(): number | null {
    const known = trust.known()?.version
    return known === undefined ? newest : Math.max(known, newest ?? 0)
  }

  function verified<S extends z.ZodType>(
    frame: unknown,
    { kind, event, schema, key }: { kind: SignedKind; event: string; schema: S; key: string | undefined },
  ): z.infer<S> {
    const signed = Signed.safeParse(frame)
    if (!signed.success)
      throw schema.safeParse(frame).success ? untrusted(`sent an unsigned ${event}`) : nonsense(url, event)
    const value = key === undefined ? undefined : readSigned(key, kind, trust.org, signed.data)
    if (value === undefined)
      throw untrusted(`sent a ${event} that the key of this organization did not sign (was its AUTH_SECRET changed?)`)
    const parsed = schema.safeParse(value)
    if (!parsed.success) throw nonsense(url, event)
    return parsed.data
  }

  /** Throws unless the machines are those that are known under these ids; null becomes an identity once, and stays it. */
  function mustBeSame(machines: readonly RosterMachine[]): void {
    for (const { id, name, publicKey } of machines) {
      const known = identities.get(id)
      if (known !== undefined && known !== publicKey)
        throw untrusted(`says that the machine ${name} (${id}) has another identity than before`)
    }
    for (const { id, publicKey } of machines) if (publicKey !== null) identities.set(id, publicKey)
  }

  function mustBeNewest({ version, org }: Roster): void {
    if (org.id !== trust.org)
      throw untrusted(`sent the roster of another organization (${org.slug}) than this machine is linked to`)
    const known = newestKnown()
    if (known !== null && version < known)
      throw untrusted(`sent an old roster (version ${version}; this machine has seen ${known})`)
  }

  function recall(): void {
    for (const [id, { publicKey }] of trust.known()?.machines ?? [])
      if (publicKey !== null && !identities.has(id)) identities.set(id, publicKey)
  }

  function signedWelcome(frame: unknown): Welcome {
    const parsed = SignedWelcome.safeParse(frame)
    if (!parsed.success)
      throw Welcome.safeParse(frame).success ? untrusted('sent an unsigned roster') : nonsense(url, 'welcome')
    const { controlKey, roster: signed, ...rest } = parsed.data
    const pinned = trust.controlKey()
    if (pinned !== undefined && pinned !== controlKey)
      throw untrusted(
        'signs with another key than the one that this machine was told first (was its AUTH_SECRET changed, or is it another control plane?)',
      )
    if (rest.machine.id !== trust.machine)
      throw untrusted(`greeted this machine as ${rest.machine.name} (${rest.machine.id}), which it is not`)
    const roster = verified(signed, { kind: 'roster', event: 'welcome', schema: Roster, key: controlKey })
    mustBeNewest(roster)
    if (pinned === undefined) trust.pin(controlKey)
    else recall()
    mustBeSame(roster.machines)
    newest = roster.version
    return { ...rest, roster }
  }

  return {
    isPinned: () => trust.controlKey() !== undefined,
    newest: newestKnown,
    mustBeForUs({ org, machineId }) {
      if (org !== trust.org || machineId !== trust.machine)
        throw untrusted(`takes this machine for another one (${machineId} of ${org})`)
    },
    welcome(frame, speaks) {
      if ((frame as { v?: unknown } | null)?.v !== speaks) throw nonsense(url, 'welcome')
      if (speaks >= SIGNED_SINCE) return signedWelcome(frame)
      const welcome = Welcome.safeParse(frame)
      if (!welcome.success) throw nonsense(url, 'welcome')
      return welcome.data
    },
    roster(frame, speaks) {
      if (speaks < SIGNED_SINCE) return plain(Roster, frame, url)
      const roster = verified(frame, { kind: 'roster', event: 'roster', schema: Roster, key: trust.controlKey() })
      mustBeNewest(roster)
      mustBeSame(roster.machines)
      newest = roster.version
      return roster
    },
    delta(frame, speaks) {
      if (speaks < SIGNED_SINCE) return plain(RosterDelta, frame, url)
      const delta = verified(frame, { kind: 'delta', event: 'roster', schema: RosterDelta, key: trust.controlKey() })
      mustBeSame(delta.machines)
      return delta
    },
    fresh(frame) {
      const key = trust.controlKey()
      const fresh = verified(frame, { kind: 'fresh', event: 'heartbeat', schema: Freshness, key })
      if (fresh.org !== trust.org) throw untrusted('confirmed the roster of another organization')
      return fresh
    },
    took(version) {
      newest = Math.max(version, newest ?? 0)
    },
  }
}

function plain<S extends z.ZodType>(schema: S, frame: unknown, url: string): z.infer<S> {
  const parsed = schema.safeParse(frame)
  if (!parsed.success) throw nonsense(url, 'roster')
  return parsed.data
}

/** The control plane speaks only versions without signatures, to a home that was told a key. */
export const downgraded = (url: string): RelayError =>
  new RelayError(
    'UNTRUSTED',
    `${url} does not speak version ${CONTROL_VERSION} any more and would send unsigned rosters, which this machine does not believe since it was told a key: its operator must update it. If it is another control plane on purpose, run: agent-relay unlink && agent-relay link`,
  )
