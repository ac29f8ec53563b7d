/** Keeps a roster's version exact: a delta applies to its base only, and whatever does not fit asks for the whole. */
import type { Roster, RosterDelta } from '@agent-relay/protocol'
import type { Clock } from './clock.ts'

/** The change that a newer version came by is on its way as a delta, most likely. */
const DELTA_MS = 1_000
/** Another machine's word for a newer version is believed this often: it may be wrong, and a whole roster is large. */
const HEARSAY_MS = 10_000

type Options = {
  /** Asks for the whole roster; a value not yet checked. */
  fetch(): Promise<unknown>
  /** Each gives what the frame says, or throws. */
  readRoster(value: unknown): Roster
  readDelta(frame: unknown): RosterDelta
  onDelta(delta: RosterDelta): void
  onRoster(roster: Roster): void
  /** The roster that is held was the newest at `at`, on the control plane's clock in ms since 1970. */
  onFresh(at: number): void
  /** The roster cannot be followed: what one of these threw, or the answer that did not come. */
  onBroken(error: unknown): void
  clock: Clock
}

export type RosterFollower = {
  /** The version that is held now; undefined while not connected. */
  reset(version: number | undefined): void
  /** A delta as it came. */
  push(frame: unknown): void
  /** `version` was the newest at `at`: that confirms what is held, or asks for it. */
  confirm(newest: { version: number; at: number }): void
  /** Somebody else knows of this version. */
  hearsay(version: number): void
}

export function rosterFollower(options: Options): RosterFollower {
  const { fetch, readRoster, readDelta, onDelta, onRoster, onFresh, onBroken, clock } = options
  let version: number | undefined
  let isFetching = false
  /** Changes by which connection a late answer belongs to an earlier one. */
  let era = 0
  let early: RosterDelta[] = []
  /** A newer version than is held, confirmed. */
  let awaited: { version: number; at: number } | undefined
  let cancelAwait = (): void => undefined
  let heardAt = Number.NEGATIVE_INFINITY

  function apply(delta: RosterDelta): void {
    if (version === undefined || delta.version <= version) return
    if (isFetching) {
      early.push(delta)
      return
    }
    if (delta.base !== version) {
      refetch()
      return
    }
    version = delta.version
    onDelta(delta)
    reached()
  }

  function refetch(): void {
    if (isFetching) return
    isFetching = true
    const asked = era
    fetch().then(
      (value) => {
        if (asked !== era) return
        const roster = read(() => readRoster(value))
        if (roster === undefined) return
        isFetching = false
        version = roster.version
        onRoster(roster)
        const deltas = early
        early = []
        for (const delta of deltas) apply(delta)
        reached()
      },
      (error: unknown) => {
        // Without the roster, messages go astray: a new connection brings it.
        if (asked === era) onBroken(error)
      },
    )
  }

  function read<T>(from: () => T): T | undefined {
    try {
      return from()
    } catch (error) {
      onBroken(error)
      return undefined
    }
  }

  function reached(): void {
    if (awaited === undefined || version === undefined || version < awaited.version) return
    const { at } = awaited
    forget()
    onFresh(at)
  }

  function forget(): void {
    awaited = undefined
    cancelAwait()
    cancelAwait = () => undefined
  }

  return {
    reset(next) {
      era++
      version = next
      isFetching = false
      early = []
      forget()
    },
    push(frame) {
      const delta = read(() => readDelta(frame))
      if (delta !== undefined) apply(delta)
    },
    confirm(newest) {
      if (version === undefined || (awaited !== undefined && newest.version < awaited.version)) return
      forget()
      awaited = newest
      reached()
      if (awaited !== undefined) cancelAwait = clock.after(DELTA_MS, refetch)
    },
    hearsay(told) {
      if (version === undefined || told <= version || clock.now() - heardAt < HEARSAY_MS) return
      heardAt = clock.now()
      refetch()
    },
  }
}
