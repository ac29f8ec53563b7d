import type { MachineRow } from '#lib/trpc/views.ts'
import { count, duration, system } from '../format/format.ts'
import { Ago } from '../format/time.tsx'
import { AgentShape, MachineStatusMark } from '../marks/status.tsx'
import { Button } from '../ui/button.tsx'
import type { Column, Layout } from '../ui/data-table.tsx'

export const layout: Layout = {
  name: '',
  state: 'w-[112px] max-sm:w-[104px]',
  agents: 'w-[168px] max-md:hidden',
  person: 'w-[88px] max-lg:hidden',
  platform: 'w-[84px] max-xl:hidden',
  latency: 'w-[76px] text-right max-sm:hidden',
  links: 'w-[128px] max-2xl:hidden',
  waiting: 'w-[72px] text-right max-lg:hidden',
  seen: 'w-[98px] text-right max-sm:hidden',
  action: 'w-[84px] text-right',
}

const order = { online: 0, offline: 1, keyOnly: 2, revoked: 3 }

type Links = ReadonlyMap<string, { direct: number; relay: number }>

/** Columns of the machines table. `links` as the network page counts them; `onRevoke` opens the confirmation. */
export const columnsOf = (links: Links, onRevoke: (machine: MachineRow) => void): Column<MachineRow>[] => [
  {
    id: 'name',
    header: 'Machine',
    by: (machine) => machine.name.toLowerCase(),
    cell: (machine) => (
      // The address gives way whole: where it does not fit beside the name, it falls into the line that is cut off.
      <span
        className="flex h-5 min-w-0 flex-wrap items-baseline gap-x-2 overflow-hidden"
        title={[machine.name, machine.address, `key ${machine.keyPrefix}…`].filter(Boolean).join(', ')}
      >
        <span className="max-w-full truncate font-mono text-md font-medium">{machine.name}</span>
        {machine.address !== null && <span className="mono text-fg-3">{machine.address}</span>}
      </span>
    ),
  },
  {
    id: 'state',
    header: 'State',
    by: (machine) => `${order[machine.state]}${machine.name.toLowerCase()}`,
    cell: (machine) => <MachineStatusMark state={machine.state} />,
  },
  {
    id: 'agents',
    header: 'Agents',
    by: (machine) => machine.agents.length,
    cell: (machine) =>
      machine.agents.length === 0 ? (
        <span className="text-fg-3">none</span>
      ) : (
        <span className="flex items-center gap-2" title={machine.agents.map((agent) => agent.name).join(', ')}>
          {machine.agents.slice(0, 3).map((agent) => (
            <span key={agent.name} className="flex min-w-0 items-center gap-1">
              <AgentShape status={agent.status} />
              <span className="truncate">{agent.name}</span>
            </span>
          ))}
          {machine.agents.length > 3 && <span className="text-fg-3">+{machine.agents.length - 3}</span>}
        </span>
      ),
  },
  {
    id: 'person',
    header: 'Person',
    by: (machine) => machine.person,
    cell: (machine) => <span className="text-fg-2">{machine.person}</span>,
  },
  {
    id: 'platform',
    header: 'System',
    by: (machine) => system(machine.platform),
    cell: (machine) => (
      <span className="text-fg-2" title={machine.version && `agent-relay ${machine.version}`}>
        {machine.platform ? system(machine.platform) : '–'}
      </span>
    ),
  },
  {
    id: 'latency',
    header: 'Latency',
    by: (machine) => machine.latencyMs,
    cell: (machine) =>
      machine.state === 'online' && machine.latencyMs !== null ? (
        <span title="Round trip to the control plane">{duration(machine.latencyMs)}</span>
      ) : (
        <span className="text-fg-3" title={machine.state === 'online' ? 'Not measured yet' : 'Not connected'}>
          –
        </span>
      ),
  },
  {
    id: 'links',
    header: 'Links',
    by: (machine) => links.get(machine.id)?.direct ?? 0,
    cell: (machine) => <span className="text-fg-2">{linkWords(links.get(machine.id))}</span>,
  },
  {
    id: 'waiting',
    header: 'Waiting',
    by: (machine) => machine.waiting,
    cell: (machine) =>
      machine.waiting > 0 ? (
        <span className="text-warn">{count(machine.waiting)}</span>
      ) : (
        <span className="text-fg-3">0</span>
      ),
  },
  {
    id: 'seen',
    header: 'Last seen',
    by: (machine) => machine.lastSeenAt,
    cell: (machine) =>
      machine.lastSeenAt === null ? (
        <span className="text-fg-3">never</span>
      ) : (
        <Ago at={machine.lastSeenAt} className="text-fg-2" />
      ),
  },
  {
    id: 'action',
    header: <span className="sr-only">Actions</span>,
    cell: (machine) =>
      machine.canRevoke && machine.state !== 'revoked' ? (
        <Button
          variant="link"
          aria-label={`Revoke ${machine.name}`}
          className="-mr-2.5"
          onClick={() => onRevoke(machine)}
        >
          Revoke
        </Button>
      ) : null,
  },
]

/** `2 direct, 1 relay` */
const linkWords = (own: { direct: number; relay: number } = { direct: 0, relay: 0 }): string =>
  [own.direct > 0 && `${own.direct} direct`, own.relay > 0 && `${own.relay} relay`].filter(Boolean).join(', ') || '–'
