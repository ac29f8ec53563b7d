'use client'
import { useQuery } from '@tanstack/react-query'
import { PenLine } from 'lucide-react'
import Link from 'next/link'
import { useCallback, useMemo } from 'react'
import { paths } from '#lib/paths.ts'
import type { AgentRow } from '#lib/trpc/views.ts'
import { count } from '../format/format.ts'
import { Ago } from '../format/time.tsx'
import { keyOf } from '../inbox/address.ts'
import { installCommand } from '../machines/commands.ts'
import { AgentStatusMark } from '../marks/status.tsx'
import { PageBar } from '../shell/page-bar.tsx'
import { useTRPC } from '../shell/trpc.tsx'
import { oneOf, useUrlState } from '../shell/use-url-state.ts'
import { buttonStyles } from '../ui/button.tsx'
import { Command } from '../ui/copy.tsx'
import { type Column, DataTable, type Layout } from '../ui/data-table.tsx'
import { Empty, Failed } from '../ui/empty.tsx'
import { SearchBox } from '../ui/search-box.tsx'
import { Segmented } from '../ui/segmented.tsx'
import { BoneRows } from '../ui/skeleton.tsx'

const shows = ['all', 'online', 'waiting', 'offline'] as const
type Show = (typeof shows)[number]

/** A person has no program that could be online or not. */
const matches = (agent: AgentRow, show: Show): boolean =>
  show === 'all' ||
  (show === 'waiting'
    ? agent.waiting > 0
    : !agent.isPerson && (show === 'online' ? agent.status !== 'offline' : agent.status === 'offline'))

const found = (agent: AgentRow, q: string): boolean =>
  [agent.name, agent.machine.name, agent.person, agent.project, agent.client, agent.model, agent.repository].some(
    (text) => text?.toLowerCase().includes(q),
  )

/** Every agent of the organization; filters live in the URL. */
export function Agents({ org, origin }: { org: string; origin: string }) {
  const agents = useQuery(useTRPC().agents.list.queryOptions({ org }))
  const [params, setParams] = useUrlState()
  const q = params.get('q') ?? ''
  const show = oneOf(shows, params.get('show'))
  const setQ = useCallback((text: string) => setParams({ q: text }), [setParams])
  const rows = useMemo(() => {
    const wanted = q.trim().toLowerCase()
    return agents.data?.filter((agent) => matches(agent, show) && (wanted === '' || found(agent, wanted)))
  }, [agents.data, q, show])
  const columns = useMemo(() => columnsOf(org), [org])
  const total = (choice: Show) => agents.data?.filter((agent) => matches(agent, choice)).length ?? 0
  const online = total('online')
  return (
    <>
      <PageBar title="Agents" fact={agents.data && `${count(online)} of ${count(online + total('offline'))} online`} />
      <div className="flex h-11 shrink-0 items-center gap-2 border-b border-hair px-3 max-sm:h-auto max-sm:flex-wrap max-sm:py-2 sm:px-4">
        <Segmented
          label="Show"
          value={show}
          onChange={(next) => setParams({ show: next === 'all' ? null : next })}
          choices={[
            { value: 'all', label: 'All' },
            { value: 'online', label: 'Online', count: online },
            { value: 'waiting', label: 'Waiting', count: total('waiting') },
            { value: 'offline', label: 'Offline', count: total('offline') },
          ]}
        />
        <span className="flex-1 max-sm:hidden" />
        <SearchBox label="Agent, machine, person" value={q} onChange={setQ} />
      </div>
      <div className="min-h-0 flex-1 overflow-auto">
        {agents.isError && !agents.data && <Failed error={agents.error} onRetry={() => agents.refetch()} />}
        {agents.isPending && <BoneRows rows={8} />}
        {agents.data?.length === 0 && (
          <Empty title="No agent yet">
            <p>An agent is a program with a name that others can write to. On a linked machine, install the command:</p>
            <Command text={installCommand(origin)} />
            <p>Then start any line program under a name:</p>
            <Command text="agent-relay run Alice -- cat" />
          </Empty>
        )}
        {rows && agents.data && agents.data.length > 0 && rows.length === 0 && (
          <Empty title="No agent matches">
            <p>
              None of {agents.data.length} matches{q && ` “${q}”`}.{' '}
              <button
                type="button"
                className="font-medium text-accent hover:underline"
                onClick={() => setParams({ q: null, show: null })}
              >
                Show all
              </button>
            </p>
          </Empty>
        )}
        {rows && rows.length > 0 && (
          <DataTable
            label="Agents"
            rows={rows}
            columns={columns}
            layout={layout}
            rowId={(agent) => agent.name}
            initialSort="name"
          />
        )}
      </div>
    </>
  )
}

const layout: Layout = {
  name: '',
  status: 'w-[92px] max-sm:w-20',
  machine: 'w-[136px]',
  person: 'w-20 max-lg:hidden',
  client: 'w-24 max-xl:hidden',
  project: 'w-[104px] max-lg:hidden',
  sent: 'w-[70px] text-right max-md:hidden',
  received: 'w-[70px] text-right max-md:hidden',
  waiting: 'w-[68px] text-right max-md:hidden',
  seen: 'w-[94px] text-right max-sm:hidden',
  write: 'w-[48px] text-right',
}

const number = (value: number) => (value === 0 ? <span className="text-fg-3">0</span> : count(value))

const columnsOf = (org: string): Column<AgentRow>[] => [
  {
    id: 'name',
    header: 'Agent',
    by: (agent) => agent.name.toLowerCase(),
    cell: (agent) => (
      <span className="flex items-baseline gap-2">
        <Link
          href={`${paths.messages(org)}?q=${encodeURIComponent(agent.name)}`}
          title={`Messages of ${agent.name}`}
          className="max-w-full shrink-0 truncate font-medium after:absolute after:inset-0"
        >
          {agent.name}
        </Link>
        {agent.isPerson && <span className="truncate text-sm text-fg-3">a person</span>}
        {!agent.isHeld && !agent.isPerson && (
          <span className="truncate text-sm text-fg-3 max-sm:hidden">name is free</span>
        )}
      </span>
    ),
  },
  {
    id: 'status',
    header: 'Status',
    by: (agent) => agent.status,
    cell: (agent) =>
      agent.isPerson ? <span className="text-fg-3">–</span> : <AgentStatusMark status={agent.status} />,
  },
  {
    id: 'machine',
    header: 'Machine',
    by: (agent) => agent.machine.name,
    cell: (agent) => (
      <span className="mono text-fg-2" title={agent.machine.name}>
        {agent.machine.name}
      </span>
    ),
  },
  {
    id: 'person',
    header: 'Person',
    by: (agent) => agent.person,
    cell: (agent) => <span className="text-fg-2">{agent.person}</span>,
  },
  {
    id: 'client',
    header: 'Client',
    by: (agent) => agent.client,
    cell: (agent) => (
      <span className="text-fg-2" title={agent.model ?? undefined}>
        {(!agent.isPerson && [agent.client, agent.model].filter(Boolean).join(', ')) || '–'}
      </span>
    ),
  },
  {
    id: 'project',
    header: 'Project',
    by: (agent) => agent.project,
    cell: (agent) => (
      <span className="text-fg-2" title={agent.repository ?? undefined}>
        {agent.project ?? '–'}
      </span>
    ),
  },
  {
    id: 'sent',
    header: 'Sent 24 h',
    by: (agent) => agent.sent24h,
    cell: (agent) => number(agent.sent24h),
  },
  {
    id: 'received',
    header: 'Got 24 h',
    by: (agent) => agent.received24h,
    cell: (agent) => number(agent.received24h),
  },
  {
    id: 'waiting',
    header: 'Waiting',
    by: (agent) => agent.waiting,
    cell: (agent) => (agent.waiting > 0 ? <span className="text-warn">{count(agent.waiting)}</span> : number(0)),
  },
  {
    id: 'seen',
    header: 'Last seen',
    by: (agent) => agent.lastSeenAt,
    cell: (agent) => <Ago at={agent.lastSeenAt} className="text-fg-2" />,
  },
  {
    id: 'write',
    header: <span className="sr-only">Actions</span>,
    cell: (agent) =>
      agent.isPerson ? null : (
        <Link
          href={paths.inbox(org, keyOf({ kind: 'agent', name: agent.name }))}
          aria-label={`Write to ${agent.name}`}
          title={`Write to ${agent.name}`}
          className={buttonStyles({ variant: 'ghost', size: 'icon', className: 'relative -mr-1.5' })}
        >
          <PenLine aria-hidden size={14} />
        </Link>
      ),
  },
]
