import type { ReactNode } from 'react'
import type { OverviewView } from '#lib/trpc/views.ts'
import { count, duration } from '../format/format.ts'
import { Age } from '../format/time.tsx'
import { cn } from '../ui/cn.ts'

/** Delivery of the last 24 hours. A figure without data says so. */
export function Figures({ figures }: { figures: OverviewView['figures'] }) {
  const { delivered24h: delivered, failed24h: failed, p50Ms, p95Ms, p99Ms, localShare, relayShare, waiting } = figures
  const share = failed + delivered > 0 ? (failed / (failed + delivered)) * 100 : 0
  return (
    <dl
      aria-label="Delivery, last 24 hours"
      className="grid grid-cols-2 overflow-hidden rounded-3 border border-line bg-surface-1 lg:grid-cols-5 [&>*]:border-hair max-lg:[&>*:nth-child(even)]:border-l max-lg:[&>*:nth-child(n+3)]:border-t lg:[&>*+*]:border-l"
    >
      <Figure name="Delivered" value={count(delivered)} note="last 24 h" className="max-lg:col-span-2">
        {delivered > 0 && <Spark values={figures.deliveredByHour} />}
      </Figure>
      <Figure
        name="Delivery p50"
        value={p50Ms === null ? null : duration(p50Ms)}
        note={
          p95Ms === null || p99Ms === null
            ? 'nothing delivered in 24 h'
            : `p95 ${duration(p95Ms)}, p99 ${duration(p99Ms)}`
        }
        className="max-lg:border-t max-lg:!border-l-0"
      />
      <Figure
        name="Same machine"
        value={localShare === null ? null : `${Math.round(localShare * 100)} %`}
        note={relayShare === null ? 'nothing delivered in 24 h' : `by relay ${Math.round(relayShare * 100)} %`}
        className="max-lg:!border-l"
      />
      <Figure
        name="Waiting"
        value={count(waiting)}
        note={
          figures.oldestWaitingAt === null ? (
            'nothing waits'
          ) : (
            <>
              oldest <Age at={figures.oldestWaitingAt} />
            </>
          )
        }
        className="max-lg:!border-l-0"
      />
      <Figure
        name="Failed"
        value={count(failed)}
        note={failed === 0 ? 'last 24 h' : `${share < 1 ? share.toFixed(2) : Math.round(share)} %, each with a reason`}
        className="max-lg:!border-l"
      />
    </dl>
  )
}

/** The unit stands smaller than the number. */
function Figure({
  name,
  value,
  note,
  children,
  className,
}: {
  name: string
  value: string | null
  note: ReactNode
  children?: ReactNode
  className?: string
}) {
  const [, number, unit] = /^(.+?)(?: (\D+))?$/.exec(value ?? '–') ?? []
  return (
    <div className={cn('relative min-w-0 px-3 py-2.5', className)}>
      <dt className="text-sm text-fg-2">{name}</dt>
      <dd className="text-2xl font-medium tracking-[-0.025em]">
        {number}
        {unit !== undefined && <small className="ml-0.5 text-md font-normal tracking-normal text-fg-3">{unit}</small>}
        {children}
      </dd>
      <dd className="truncate text-sm text-fg-3">{note}</dd>
    </div>
  )
}

const WIDTH = 64
const HEIGHT = 22

/** Values over time, oldest first, from zero up. */
function Spark({ values }: { values: readonly number[] }) {
  const top = Math.max(...values, 1)
  const points = values
    .map((value, index) => {
      const x = (index / Math.max(1, values.length - 1)) * WIDTH
      return `${x.toFixed(1)} ${(HEIGHT - 2 - (value / top) * (HEIGHT - 5)).toFixed(1)}`
    })
    .join('L')
  return (
    <svg
      width={WIDTH}
      height={HEIGHT}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      className="absolute top-[31px] right-3"
      role="img"
      aria-label={`Delivered per hour, highest ${top}`}
    >
      <path d={`M${points}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z`} fill="var(--accent-soft)" />
      <path d={`M${points}`} fill="none" stroke="var(--accent-solid)" strokeWidth="1.25" strokeLinejoin="round" />
    </svg>
  )
}
