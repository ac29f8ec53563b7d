/** What the table and the picture both show, one row a line of the picture. Pure. */
import type { LinkRow, MachineRow, NetworkView } from '#lib/trpc/views.ts'

/** A link between two machines, or a machine's own connection to the control plane. */
export type NetworkRow = { id: string } & ({ kind: 'link'; link: LinkRow } | { kind: 'control'; machine: MachineRow })

/** Links first: they are what this page is about. */
export const rowsOf = ({ links, machines }: NetworkView): NetworkRow[] => [
  ...links.map((link) => ({ id: link.id, kind: 'link' as const, link })),
  ...machines.map((machine) => ({ id: machine.id, kind: 'control' as const, machine })),
]

/** A machine's connection in the words of a link, for the columns that both have. */
export function stateOf(row: NetworkRow): Pick<LinkRow, 'state' | 'kind' | 'latencyMs' | 'isEstimate' | 'since'> {
  if (row.kind === 'link') return row.link
  const { state, latencyMs, lastSeenAt } = row.machine
  const isOnline = state === 'online'
  return {
    state: isOnline ? 'direct' : 'down',
    kind: null,
    latencyMs: isOnline ? latencyMs : null,
    isEstimate: false,
    since: isOnline ? null : lastSeenAt,
  }
}

/** `3 of 4 machines online, 2 direct, 1 by relay`; `plural` writes the count of machines. */
export function factOf({ machines, links }: NetworkView, plural: (count: number, one: string) => string): string {
  const online = machines.filter(({ state }) => state === 'online').length
  const of = (...states: LinkRow['state'][]) => links.filter(({ state }) => states.includes(state)).length
  const counts = [
    [of('direct'), 'direct'],
    [of('relay', 'probing'), 'by relay'],
    [of('suspect'), 'suspect'],
    [of('down'), 'down'],
  ] as const
  return [
    `${online} of ${plural(machines.length, 'machine')} online`,
    ...counts.flatMap(([count, word]) => (count > 0 ? [`${count} ${word}`] : [])),
  ].join(', ')
}

/** Per machine, by how many links it is reached directly and by relay; what is down or doubted counts as neither. */
export function linksByMachine(links: readonly LinkRow[]): Map<string, { direct: number; relay: number }> {
  const counts = new Map<string, { direct: number; relay: number }>()
  for (const { a, b, state } of links)
    for (const { id } of [a, b]) {
      const own = counts.get(id) ?? { direct: 0, relay: 0 }
      if (state === 'direct') own.direct++
      if (state === 'relay' || state === 'probing') own.relay++
      counts.set(id, own)
    }
  return counts
}
