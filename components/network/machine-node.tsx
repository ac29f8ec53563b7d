import { Handle, type Node, type NodeProps, Position } from '@xyflow/react'
import { Cloud, Laptop, Server } from 'lucide-react'
import type { MachineRow } from '#lib/trpc/views.ts'
import { plural, system } from '../format/format.ts'
import { Ago } from '../format/time.tsx'
import { AgentShape, MachineStatusMark } from '../marks/status.tsx'
import { Avatar } from '../ui/avatar.tsx'
import { cn } from '../ui/cn.ts'
import { AGENTS_LISTED } from './layout.ts'

export type MachineNode = Node<{ machine: MachineRow; isFull: boolean; isChosen: boolean }, 'machine'>
export type HubNode = Node<{ fact: string }, 'hub'>

/** Lines are drawn by our own layout; the library wants to know that they could begin somewhere. */
const Ends = () => (
  <>
    <Handle type="source" position={Position.Top} isConnectable={false} className="invisible" />
    <Handle type="target" position={Position.Top} isConnectable={false} className="invisible" />
  </>
)

export function HubBox({ data }: NodeProps<HubNode>) {
  return (
    <div className="flex size-full items-center gap-2 rounded-3 border border-line bg-surface-3 px-2.5">
      <Cloud aria-hidden size={16} className="shrink-0 text-fg-3" />
      <span className="grid min-w-0">
        <span className="truncate text-sm font-medium">control plane</span>
        <span className="truncate text-xs text-fg-3">{data.fact}</span>
      </span>
      <Ends />
    </div>
  )
}

export function MachineBox({ data: { machine, isFull, isChosen } }: NodeProps<MachineNode>) {
  const isOnline = machine.state === 'online'
  return (
    <div
      className={cn(
        'flex size-full cursor-pointer flex-col rounded-3 border hover:border-strong',
        isOnline ? 'bg-raised shadow-node' : 'border-dashed bg-surface-2',
        isChosen ? 'border-accent-solid ring-1 ring-accent-solid' : 'border-line',
      )}
    >
      {isFull ? <Full machine={machine} /> : <Compact machine={machine} />}
      <Ends />
    </div>
  )
}

const isServer = ({ platform }: MachineRow): boolean => /linux/i.test(platform) && !platform.includes('desktop')

function Name({ machine }: { machine: MachineRow }) {
  return (
    <span
      className={cn('mono min-w-0 flex-1 truncate font-medium', machine.state !== 'online' && 'text-off')}
      title={machine.name}
    >
      {machine.name}
    </span>
  )
}

/** Name and person, an agent a row, the system and when it was last heard. */
function Full({ machine }: { machine: MachineRow }) {
  const Icon = isServer(machine) ? Server : Laptop
  const more = machine.agents.length - AGENTS_LISTED
  const isOnline = machine.state === 'online'
  return (
    <>
      <div className="flex h-8 shrink-0 items-center gap-[7px] border-b border-hair pr-2 pl-2.5">
        <Icon aria-hidden size={14} className="shrink-0 text-fg-3" />
        <Name machine={machine} />
        <Avatar name={machine.person} size={16} />
      </div>
      <ul className="min-h-0 flex-1">
        {machine.agents.slice(0, AGENTS_LISTED).map(({ name, status, client, project }) => (
          <li key={name} className="flex h-[26px] items-center gap-[7px] px-2.5">
            <AgentShape status={status} />
            <span className={cn('max-w-full shrink-0 truncate font-medium', status === 'offline' && 'text-off')}>
              {name}
            </span>
            <span className="ml-auto min-w-0 truncate text-sm text-fg-3">
              {[client, project].filter(Boolean).join(' in ')}
            </span>
          </li>
        ))}
        {machine.agents.length === 0 && <li className="px-2.5 text-sm leading-[26px] text-fg-3">no agents yet</li>}
        {more > 0 && <li className="px-2.5 text-sm leading-[26px] text-fg-3">and {more} more</li>}
      </ul>
      <div className="flex h-6 shrink-0 items-center justify-between gap-2 border-t border-hair px-2.5 text-xs text-fg-3">
        <span className="truncate">{system(machine.platform)}</span>
        <span className="shrink-0">
          {machine.state === 'keyOnly' ? (
            'key not used yet'
          ) : machine.lastSeenAt === null ? (
            'never seen'
          ) : (
            <>
              {isOnline ? 'heard ' : 'last seen '}
              <Ago at={machine.lastSeenAt} />
            </>
          )}
        </span>
      </div>
    </>
  )
}

/** Name, person and how many agents, where many machines stand. */
function Compact({ machine }: { machine: MachineRow }) {
  return (
    <div className="grid min-w-0 flex-1 grid-cols-[minmax(0,1fr)] content-center px-2.5">
      <span className="flex min-w-0 items-center gap-1.5">
        <Name machine={machine} />
        <Avatar name={machine.person} size={16} />
      </span>
      <span className="flex items-center justify-between gap-2 text-xs text-fg-3">
        <MachineStatusMark state={machine.state} />
        <span className="truncate">{plural(machine.agents.length, 'agent')}</span>
      </span>
    </div>
  )
}
