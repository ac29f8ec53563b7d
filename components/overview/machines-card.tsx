import { Laptop, Server } from 'lucide-react'
import Link from 'next/link'
import { paths } from '#lib/paths.ts'
import type { MachineRow } from '#lib/trpc/views.ts'
import { plural, system } from '../format/format.ts'
import { Ago } from '../format/time.tsx'
import { AgentShape } from '../marks/status.tsx'
import { Avatar } from '../ui/avatar.tsx'
import { Card, CardHead } from '../ui/card.tsx'
import { cn } from '../ui/cn.ts'

/** Agents that a node shows before it says how many more there are. */
const ROWS = 5
/** A longer name takes the person's place; the initial beside it stays. */
const LONG = 14

/** Every machine with its agents, as the nodes of the network. */
export function MachinesCard({ machines, slug }: { machines: MachineRow[]; slug: string }) {
  const linked = machines.filter((machine) => machine.state !== 'revoked')
  const online = linked.filter((machine) => machine.state === 'online')
  const agents = linked.flatMap((machine) => machine.agents)
  const agentsOnline = agents.filter((agent) => agent.status !== 'offline')
  return (
    <Card aria-label="Machines" className="flex flex-col lg:min-h-0 lg:flex-1">
      <CardHead
        title="Machines"
        fact={`${online.length} of ${plural(linked.length, 'machine')}, ${agentsOnline.length} of ${plural(agents.length, 'agent')} online`}
      >
        <Link href={paths.machines(slug)} className="text-sm font-medium text-accent hover:underline">
          All
        </Link>
      </CardHead>
      <ul className="grid flex-1 grid-cols-[repeat(auto-fill,minmax(min(100%,200px),1fr))] content-start gap-4 overflow-y-auto bg-surface-2 p-4 lg:p-5">
        {linked.map((machine) => (
          <li key={machine.id}>
            <Node machine={machine} slug={slug} />
          </li>
        ))}
      </ul>
    </Card>
  )
}

function Node({ machine, slug }: { machine: MachineRow; slug: string }) {
  const isOnline = machine.state === 'online'
  const Icon = /linux/i.test(machine.platform) && !machine.platform.includes('desktop') ? Server : Laptop
  const more = machine.agents.length - ROWS
  return (
    <Link
      href={paths.machines(slug)}
      className={cn(
        'block rounded-3 border border-line hover:border-strong',
        isOnline ? 'bg-raised shadow-node' : 'border-dashed bg-surface-2',
      )}
    >
      <div className="flex h-8 items-center gap-[7px] border-b border-hair pr-2 pl-2.5">
        <Icon aria-hidden size={14} className="text-fg-3" />
        <span className={cn('mono min-w-0 flex-1 truncate font-medium', !isOnline && 'text-off')} title={machine.name}>
          {machine.name}
        </span>
        {machine.name.length <= LONG && <span className="max-w-20 truncate text-xs text-fg-3">{machine.person}</span>}
        <Avatar name={machine.person} size={16} />
      </div>
      <ul>
        {machine.agents.slice(0, ROWS).map((agent) => (
          <li key={agent.name} className="flex h-[26px] items-center gap-[7px] px-2.5">
            <AgentShape status={agent.status} />
            <span className={cn('truncate font-medium', agent.status === 'offline' && 'text-off')}>{agent.name}</span>
            <span className="ml-auto max-w-[60%] shrink-0 truncate text-sm text-fg-3">
              {[agent.client, agent.project].filter(Boolean).join(' in ')}
            </span>
          </li>
        ))}
        {machine.agents.length === 0 && (
          <li className="flex h-[26px] items-center px-2.5 text-sm text-fg-3">no agents yet</li>
        )}
        {more > 0 && <li className="flex h-[26px] items-center px-2.5 text-sm text-fg-3">and {more} more</li>}
      </ul>
      <div className="flex h-6 items-center justify-between gap-2 border-t border-hair px-2.5 text-xs text-fg-3">
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
          {machine.waiting > 0 && `, ${machine.waiting} queued`}
        </span>
      </div>
    </Link>
  )
}
