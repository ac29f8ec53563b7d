/** The whole picture of a network as numbers: boxes, lines, labels. Pure: the same machines and links are the same picture. */
import type { LinkRow, MachineRow } from '#lib/trpc/views.ts'
import { duration } from '../format/format.ts'
import { type Drawn, drawLines, straight } from './curves.ts'
import { type Box, boxesOf, type Placement, place } from './place.ts'

/** Agents that a full node lists before it says how many more there are. */
export const AGENTS_LISTED = 3
const HEAD = 32
const ROW = 26
const FOOT = 24
/** Beyond this many lines only the chosen one has its label: the table has them all. */
const MAX_LABELLED = 40

export type Layout = {
  placement: Placement
  isFull: boolean
  hub: Box
  machines: Map<string, Box>
  links: Drawn[]
  /** From the control plane to each machine. */
  spokes: { machine: string; path: string }[]
}

type Network = { machines: readonly MachineRow[]; links: readonly LinkRow[] }

export function layOut({ machines, links }: Network, before?: Placement): Layout {
  const placement = place(
    machines.map(({ id }) => id),
    before,
  )
  const heights = new Map(machines.map((machine) => [machine.id, heightOf(machine)]))
  const { isFull, hub, machines: boxes } = boxesOf(placement, heights)
  const isLabelled = links.length <= MAX_LABELLED
  const wanted = links.map((link) => ({
    ...{ id: link.id, a: link.a.id, b: link.b.id },
    labelWidth: isLabelled ? widthOf(labelOf(link)) : null,
  }))
  return {
    ...{ placement, isFull, hub, machines: boxes },
    links: drawLines(boxes, hub, wanted),
    spokes: [...boxes].map(([machine, box]) => ({ machine, path: straight(hub, box) })),
  }
}

/** Of a full node, by how many agents it lists. */
export function heightOf({ agents }: Pick<MachineRow, 'agents'>): number {
  const rows = Math.max(1, Math.min(agents.length, AGENTS_LISTED) + Number(agents.length > AGENTS_LISTED))
  return HEAD + rows * ROW + FOOT
}

/** Latency first, kind after: `2.9 ms` `lan`, `≈ 61 ms` `relay`, `down`. */
export function labelOf({ state, kind, latencyMs, isEstimate }: LinkRow): { strong: string; quiet: string } {
  if (state === 'down') return { strong: '', quiet: 'down' }
  const word = state === 'direct' ? (kind ?? 'direct') : state === 'suspect' ? 'suspect' : 'relay'
  return { strong: latencyMs === null ? '' : `${isEstimate ? '≈ ' : ''}${duration(latencyMs)}`, quiet: word }
}

/** Of the pill with this text at 11 px, generously. */
const widthOf = ({ strong, quiet }: { strong: string; quiet: string }): number =>
  (strong.length + quiet.length + 1) * 6.6 + 22
