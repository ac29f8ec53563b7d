import { nameKey, type Roster, type RosterDelta } from '@agent-relay/protocol'

/** What turns one version of a roster into a later one; undefined when they are the same version. Pure. */
export function rosterDelta(before: Roster, after: Roster): RosterDelta | undefined {
  if (after.version <= before.version) return undefined
  const machines = changed(before.machines, after.machines, ({ id }) => id)
  const agents = changed(before.agents, after.agents, ({ name }) => nameKey(name))
  return {
    base: before.version,
    version: after.version,
    machines: machines.changed,
    removedMachines: machines.removed,
    agents: agents.changed,
    removedAgents: agents.removed,
    ...wholeIfChanged('people', before, after),
    ...wholeIfChanged('channels', before, after),
    ...(before.archive !== after.archive && { archive: after.archive ?? null }),
  }
}

/** People and channels change rarely, and are few. */
function wholeIfChanged<K extends 'people' | 'channels'>(key: K, before: Roster, after: Roster): Pick<Roster, K> {
  const isSame = JSON.stringify(before[key]) === JSON.stringify(after[key])
  return (isSame ? {} : { [key]: after[key] ?? [] }) as Pick<Roster, K>
}

function changed<T>(before: T[], after: T[], keyOf: (item: T) => string): { changed: T[]; removed: string[] } {
  const old = new Map(before.map((item) => [keyOf(item), JSON.stringify(item)]))
  const fresh: T[] = []
  for (const item of after) {
    const key = keyOf(item)
    if (old.get(key) !== JSON.stringify(item)) fresh.push(item)
    old.delete(key)
  }
  return { changed: fresh, removed: [...old.keys()] }
}
