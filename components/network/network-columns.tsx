import type { MouseEvent } from 'react'
import { paths } from '#lib/paths.ts'
import type { LinkRow } from '#lib/trpc/views.ts'
import { duration, system } from '../format/format.ts'
import { Age } from '../format/time.tsx'
import { LinkMark } from '../marks/link.tsx'
import { MachineStatusMark } from '../marks/status.tsx'
import type { Column, Layout } from '../ui/data-table.tsx'
import { type NetworkRow, stateOf } from './rows.ts'

export const layout: Layout = {
  between: '',
  path: 'w-[112px]',
  latency: 'w-[72px] text-right',
  since: 'w-[80px] text-right max-sm:hidden',
}

const order: Record<LinkRow['state'], number> = { suspect: 0, direct: 1, probing: 2, relay: 3, down: 4 }

type Choice = { org: string; chosen: string | null; onChoose: (id: string) => void }

/** One row a line of the picture. The whole row opens it. */
export const columnsOf = ({ org, chosen, onChoose }: Choice): Column<NetworkRow>[] => [
  {
    id: 'between',
    header: 'Between',
    by: (row) => ends(row).join(' ').toLowerCase(),
    cell: (row) => {
      const [a, b] = ends(row)
      return (
        <span className="grid min-w-0 gap-0.5 py-1.5">
          <a
            href={paths.network(org, row.id)}
            onClick={(event) => open(event, () => onChoose(row.id))}
            aria-current={row.id === chosen ? 'true' : undefined}
            className="flex min-w-0 items-baseline after:absolute after:inset-0"
          >
            <span className="mono truncate font-medium" title={a}>
              {a}
            </span>
            <span aria-hidden className="shrink-0 px-1.5 text-fg-3">
              ↔
            </span>
            <span className="sr-only"> and </span>
            {row.kind === 'link' ? (
              <span className="mono max-w-[55%] shrink-0 truncate font-medium" title={b}>
                {b}
              </span>
            ) : (
              <span className="shrink-0 text-fg-2">{b}</span>
            )}
          </a>
          <span className="truncate text-sm text-fg-3" title={subject(row)}>
            {subject(row)}
          </span>
        </span>
      )
    },
  },
  {
    id: 'path',
    header: 'Path',
    by: (row) => `${row.kind === 'link' ? 0 : 1}${order[stateOf(row).state]}${ends(row).join(' ').toLowerCase()}`,
    cell: (row) =>
      row.kind === 'link' ? (
        <span className="grid gap-0.5 py-1.5">
          <LinkMark link={{ state: row.link.state, kind: null }} />
          <span className="truncate pl-[30px] text-sm text-fg-3">{underPath(row.link)}</span>
        </span>
      ) : (
        <MachineStatusMark state={row.machine.state} />
      ),
  },
  {
    id: 'latency',
    header: 'Latency',
    by: (row) => stateOf(row).latencyMs,
    cell: (row) => <Latency {...stateOf(row)} />,
  },
  {
    id: 'since',
    header: 'Since',
    by: (row) => stateOf(row).since,
    cell: (row) => {
      const { since } = stateOf(row)
      return since === null ? (
        <span className="text-fg-3">–</span>
      ) : (
        <span className="text-fg-2">
          <Age at={since} />
        </span>
      )
    },
  },
]

const ends = (row: NetworkRow): [string, string] =>
  row.kind === 'link' ? [row.link.a.name, row.link.b.name] : [row.machine.name, 'control plane']

/** By which kind of address, or what else there is to say of the path in a word or two. */
const underPath = ({ state, kind, isOneSided }: LinkRow): string =>
  state === 'probing' ? 'probing' : state === 'down' ? '' : isOneSided ? 'one end' : (kind ?? '')

/** Why it goes this way; of a machine, what stands in its node. */
const subject = (row: NetworkRow): string => {
  if (row.kind === 'link') return row.link.why
  const { person, platform, agents } = row.machine
  return [`${person}, ${system(platform)}`, agents.map(({ name }) => name).join(', ')].filter(Boolean).join('; ')
}

export function Latency({ latencyMs, isEstimate }: Pick<LinkRow, 'latencyMs' | 'isEstimate'>) {
  if (latencyMs === null) return <span className="text-fg-3">–</span>
  if (!isEstimate) return <span>{duration(latencyMs)}</span>
  return <span title="Not measured: the sum of both ways to the control plane">≈ {duration(latencyMs)}</span>
}

function open(event: MouseEvent, choose: () => void): void {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return // a new tab, as links do
  event.preventDefault()
  choose()
}
