/** Keeps a roster's version exact: a delta applies to its base only, and whatever does not fit asks for the whole. */
import { Roster, RosterDelta } from '@agent-relay/protocol'

type Options = {
  /** Asks for the whole roster; a value not yet checked. */
  fetch(): Promise<unknown>
  onDelta(delta: RosterDelta): void
  onRoster(roster: Roster): void
  /** The server sent a roster that cannot be read. */
  onBroken(): void
}

export type RosterFollower = {
  /** The version that is held now; undefined while not connected. */
  reset(version: number | undefined): void
  /** A delta as it came. */
  push(frame: unknown): void
}

export function rosterFollower({ fetch, onDelta, onRoster, onBroken }: Options): RosterFollower {
  let version: number | undefined
  let isFetching = false
  /** Changes by which connection a late answer belongs to an earlier one. */
  let era = 0
  let early: RosterDelta[] = []

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
  }

  function refetch(): void {
    isFetching = true
    const asked = era
    fetch().then(
      (value) => {
        if (asked !== era) return
        const roster = Roster.safeParse(value)
        if (!roster.success) return onBroken()
        isFetching = false
        version = roster.data.version
        onRoster(roster.data)
        const deltas = early
        early = []
        for (const delta of deltas) apply(delta)
      },
      () => {
        // Without the roster, messages go astray: a new connection brings it.
        if (asked === era) onBroken()
      },
    )
  }

  return {
    reset(next) {
      era++
      version = next
      isFetching = false
      early = []
    },
    push(frame) {
      const delta = RosterDelta.safeParse(frame)
      if (!delta.success) return onBroken()
      apply(delta.data)
    },
  }
}
