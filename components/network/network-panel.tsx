'use client'
import { X } from 'lucide-react'
import type { ReactNode } from 'react'
import type { LinkEnd, LinkRow, MachineRow } from '#lib/trpc/views.ts'
import { count, system } from '../format/format.ts'
import { Age, Ago } from '../format/time.tsx'
import { LinkMark } from '../marks/link.tsx'
import { AgentShape, MachineStatusMark } from '../marks/status.tsx'
import { Button } from '../ui/button.tsx'
import { Latency } from './network-columns.tsx'
import type { NetworkRow } from './rows.ts'

/** One line of the picture: why it goes this way, in the words of both ends, since when, and how fast. */
export function NetworkPanel({ row, onClose }: { row: NetworkRow; onClose: () => void }) {
  const [a, b] = row.kind === 'link' ? [row.link.a.name, row.link.b.name] : [row.machine.name, 'control plane']
  return (
    <section
      aria-label={row.kind === 'link' ? 'Link' : 'Machine'}
      className="flex max-h-[56%] shrink-0 flex-col overflow-y-auto border-t border-line bg-surface-1"
    >
      <header className="flex h-11 shrink-0 items-center gap-2 border-b border-hair pr-3 pl-4">
        <h2 className="flex min-w-0 items-baseline font-semibold">
          <span className="mono truncate">{a}</span>
          <span aria-hidden className="px-1.5 font-normal text-fg-3">
            ↔
          </span>
          <span className="sr-only"> and </span>
          <span className={row.kind === 'link' ? 'mono truncate' : 'truncate font-normal text-fg-2'}>{b}</span>
        </h2>
        <span className="flex-1" />
        {row.kind === 'link' ? <LinkMark link={row.link} /> : <MachineStatusMark state={row.machine.state} />}
        <Button variant="ghost" size="icon" aria-label="Close" className="-mr-1.5" onClick={onClose}>
          <X aria-hidden size={16} />
        </Button>
      </header>
      {row.kind === 'link' ? <Link link={row.link} /> : <Machine machine={row.machine} />}
    </section>
  )
}

const sentences: Record<LinkRow['state'], string> = {
  direct: 'Messages go from machine to machine.',
  relay: 'Messages go through the control plane.',
  probing: 'Messages go through the control plane while both look for a direct link.',
  suspect: 'Messages go through the control plane until both ends agree on the direct link again.',
  down: 'Messages wait until both machines are there.',
}

function Link({ link }: { link: LinkRow }) {
  return (
    <div className="grid gap-2.5 px-4 py-3">
      <p>
        {sentences[link.state]}
        {link.since !== null && (
          <span className="text-fg-2">
            {' '}
            For <Age at={link.since} />
            {link.latencyMs !== null && (
              <>
                , <Latency {...link} /> there and back
              </>
            )}
            .
          </span>
        )}
      </p>
      <dl className="grid gap-2">
        <End name={link.a.name} end={link.ends[0]} />
        <End name={link.b.name} end={link.ends[1]} />
      </dl>
      {link.isOneSided && <p className="text-sm text-warn">{link.why}</p>}
    </div>
  )
}

function End({ name, end }: { name: string; end: LinkEnd | null }) {
  return (
    <div className="grid gap-0.5 rounded-2 border border-hair bg-surface-2 px-3 py-2">
      <dt className="flex items-center gap-2 text-sm text-fg-2">
        <span className="truncate">
          <span className="mono">{name}</span> says
        </span>
        <span className="flex-1" />
        {end !== null && <LinkMark link={end} />}
        {end?.latencyMs != null && <Latency latencyMs={end.latencyMs} isEstimate={false} />}
      </dt>
      <dd>
        {end === null ? (
          <span className="text-fg-3">nothing now</span>
        ) : (
          <>
            {end.why.replace(/\.$/, '')}
            <span className="text-fg-3">
              , <Ago at={end.since} />
            </span>
          </>
        )}
      </dd>
    </div>
  )
}

function Machine({ machine }: { machine: MachineRow }) {
  const isOnline = machine.state === 'online'
  return (
    <dl className="grid grid-cols-[84px_minmax(0,1fr)] gap-x-2 gap-y-1 px-4 py-3">
      <Fact name="person">{machine.person}</Fact>
      <Fact name="system">{system(machine.platform)}</Fact>
      <Fact name={isOnline ? 'heard' : 'last seen'}>
        {machine.lastSeenAt === null ? 'never' : <Ago at={machine.lastSeenAt} />}
      </Fact>
      <Fact name="latency">
        {isOnline && machine.latencyMs !== null ? (
          <>
            <Latency latencyMs={machine.latencyMs} isEstimate={false} /> to the control plane and back
          </>
        ) : (
          '–'
        )}
      </Fact>
      <Fact name="waiting">{machine.waiting === 0 ? 'nothing' : `${count(machine.waiting)} for it`}</Fact>
      <Fact name="agents">
        {machine.agents.length === 0 ? (
          <span className="text-fg-3">none</span>
        ) : (
          <span className="flex flex-wrap gap-x-3">
            {machine.agents.map(({ name, status }) => (
              <span key={name} className="flex items-center gap-1">
                <AgentShape status={status} />
                {name}
              </span>
            ))}
          </span>
        )}
      </Fact>
    </dl>
  )
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt className="text-fg-3">{name}</dt>
      <dd className="min-w-0">{children}</dd>
    </>
  )
}
