/** Whom this machine believes in: the organization's roster while it is signed, young enough, and this machine itself a part of it. */
import { ROSTER_HARD_MS } from '@agent-relay/protocol'
import { isRosterHard, isRosterSoft, rosterAgeMs } from '../core/freshness.ts'
import type { RosterIndex } from '../core/roster.ts'
import type { State } from '../core/state.ts'
import type { RelayError } from '../errors.ts'
import type { Identity } from '../home/identity.ts'
import type { Engine } from './engine.ts'

/** What this machine is in its organization. */
export type Self = {
  /** Ids of the organization and of this machine in it. */
  org: string
  machine: string
  /** A UUID of this run of the daemon, the same that the control plane is told. */
  bootId: string
  identity: Identity
  /** The Ed25519 private key, PEM. */
  identityKey: string
}

/** A moment's view; read anew after every change. */
export type Trust = {
  /** Null while this home is linked to nothing, or its identity cannot be read. */
  self: Self | null
  /**
   * By which links to other machines are made and kept; for reading only. Null when nobody is believed: then every link is to be
   * closed, as one to a machine that is not in it, or has another identity there, is at once. Newer than the core's by a turn, and
   * right also while the disk is full.
   */
  roster: RosterIndex | null
  /** Connected to a control plane that carries signals. */
  isOnline: boolean
  /** Why there is no roster, in a sentence for people; null while there is one. */
  why: string | null
}

export type TrustKeeper = {
  view(): Trust
  /** Called at whatever may have changed the view, at once; also when it did not. The answer ends it. */
  onChange(listener: () => void): () => void
  /** Null when linked to nothing. A refusal of the link before is forgotten. */
  linked(self: Self | null): void
  connected(facts: { isSigned: boolean }): void
  lost(): void
  /** The control plane wants nothing of this machine any more. */
  refused(error: RelayError): void
  /** The roster, or its age, may have changed. */
  changed(): void
  stop(): void
}

/** How late it is noticed at most that a roster grew too old. */
const LOOK_MS = 30_000

type Options = {
  engine: () => Engine
  /** The newest roster of this organization, from the link or the disk. */
  roster(): RosterIndex | null
  /** Whether rosters of this organization are signed, as far as this home was told. */
  isSigned(): boolean
  /** A listener threw. */
  failed(error: unknown): void
}

export function createTrust({ engine, roster, isSigned, failed }: Options): TrustKeeper {
  const listeners = createListeners<void>(failed)
  let self: Self | null = null
  let isOnline = false
  let refusal: string | null = null
  let wasBelieved = false
  let look: NodeJS.Timeout | undefined

  function doubt(): string | null {
    if (self === null) return 'This machine is linked to no organization: agent-relay link'
    if (refusal !== null) return refusal
    if (!isSigned())
      return 'The control plane has signed no roster yet, so other machines cannot be told from strangers.'
    if (roster() === null) return 'The control plane has sent no roster yet.'
    const { state, now } = engine()
    return isRosterHard(state(), now()) ? (rosterHealth(state(), now()) ?? UNCONFIRMED) : null
  }

  function lookAgain(): void {
    if (wasBelieved !== (doubt() === null)) changed()
  }

  function changed(): void {
    wasBelieved = doubt() === null
    listeners.tell()
  }

  return {
    view() {
      const why = doubt()
      return { self, roster: why === null ? roster() : null, isOnline, why }
    },
    onChange: listeners.add,
    linked(to) {
      self = to
      refusal = null
      isOnline = false
      clearInterval(look)
      if (to !== null) look = setInterval(lookAgain, LOOK_MS).unref()
      changed()
    },
    connected(facts) {
      isOnline = facts.isSigned
      changed()
    },
    lost() {
      isOnline = false
      changed()
    },
    refused(error) {
      isOnline = false
      refusal = error.message
      changed()
    },
    changed,
    stop: () => clearInterval(look),
  }
}

export type Listeners<T> = { add(listener: (value: T) => void): () => void; tell(value: T): void }

/** Everybody who wants to hear something; what one of them throws keeps nothing from the others. */
export function createListeners<T>(failed: (error: unknown) => void): Listeners<T> {
  const all = new Set<(value: T) => void>()
  return {
    add(listener) {
      // The same function given twice is two listeners.
      const own = (value: T): void => listener(value)
      all.add(own)
      return () => void all.delete(own)
    },
    tell(value) {
      for (const listener of [...all]) {
        try {
          listener(value)
        } catch (error) {
          failed(error)
        }
      }
    },
  }
}

/** A line for `agent-relay status` when the roster is old; null while it is young, or when there is none to be old. */
export function rosterHealth(state: State, now: number): string | null {
  if (state.identity === null || state.roster === null || !isRosterSoft(state, now)) return null
  const ageMs = rosterAgeMs(state, now)
  const hardHours = ROSTER_HARD_MS / 3_600_000
  if (ageMs === Number.POSITIVE_INFINITY) return UNCONFIRMED
  if (isRosterHard(state, now))
    return `the roster is ${age(ageMs)} old, so there are no direct links until the control plane confirms it: is it reachable from here?`
  return `the roster is ${age(ageMs)} old: who was added or removed since is not known here; at ${hardHours} hours direct links end`
}

const UNCONFIRMED =
  'the control plane has not confirmed the roster yet, so there are no direct links; messages go by the relay'

const age = (ms: number): string => {
  const minutes = Math.floor(ms / 60_000)
  return minutes < 120 ? `${minutes} minutes` : `${Math.floor(minutes / 60)} hours`
}
