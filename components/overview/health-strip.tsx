'use client'
import { CircleAlert, CircleCheck, CircleMinus, TriangleAlert } from 'lucide-react'
import type { MachineRow, OverviewView } from '#lib/trpc/views.ts'
import { duration } from '../format/format.ts'
import { Ago, useTimeText } from '../format/time.tsx'
import { MachineStatusMark } from '../marks/status.tsx'
import { Card } from '../ui/card.tsx'
import { readHealth } from './health.ts'

const icons = {
  ok: { Icon: CircleCheck, tone: 'text-ok' },
  warn: { Icon: TriangleAlert, tone: 'text-warn' },
  fail: { Icon: CircleAlert, tone: 'text-fail' },
  off: { Icon: CircleMinus, tone: 'text-off' },
}

/** At most this many machines have a cell; the card below has all of them. */
const CELLS = 4

export function HealthStrip({ view }: { view: OverviewView }) {
  const text = useTimeText((now) => JSON.stringify(readHealth(view, now)))
  const health = JSON.parse(text) as ReturnType<typeof readHealth>
  const { Icon, tone } = icons[health.tone]
  const cells = view.machines.filter((machine) => machine.state !== 'revoked').slice(0, CELLS)
  return (
    <Card
      aria-label="Health"
      className="grid grid-cols-2 lg:flex lg:items-stretch [&>*+*]:border-hair max-lg:[&>*+*]:border-t max-lg:[&>*:nth-child(even):last-child]:col-span-2 max-lg:[&>*:nth-child(odd):not(:first-child)]:border-l lg:[&>*+*]:border-l"
    >
      <div className="col-span-2 grid min-w-0 flex-1 grid-cols-[20px_minmax(0,1fr)] content-center gap-x-2 px-3 py-2.5">
        <Icon aria-hidden size={16} className={`mt-0.5 ${tone}`} />
        <div>
          <p className="font-medium">{health.say}</p>
          <p className="text-sm text-fg-2">{health.why}</p>
        </div>
      </div>
      {cells.map((machine) => (
        <Cell key={machine.id} machine={machine} />
      ))}
    </Card>
  )
}

function Cell({ machine }: { machine: MachineRow }) {
  return (
    <div className="grid min-w-0 content-center gap-1 px-3 py-2.5 lg:w-[152px]">
      <div className="mono truncate" title={machine.name}>
        {machine.name}
      </div>
      <div className="flex items-center justify-between gap-2 text-sm">
        <MachineStatusMark state={machine.state} />
        <span className="truncate text-fg-3">
          {machine.state === 'online' && machine.latencyMs !== null && (
            <span title="Round trip to the control plane">{duration(machine.latencyMs)}</span>
          )}
          {machine.state === 'offline' && machine.lastSeenAt !== null && <Ago at={machine.lastSeenAt} />}
        </span>
      </div>
    </div>
  )
}
