'use client'
import type { MessageDetail } from '#lib/trpc/views.ts'
import { useTimeText } from '../format/time.tsx'
import { cn } from '../ui/cn.ts'
import { CopyButton } from '../ui/copy.tsx'
import { type BarKind, readTrace, type Trace, traceAsText } from './trace.ts'

const bars: Record<BarKind, string> = {
  wire: 'bg-accent-solid',
  work: 'bg-fg-2',
  wait: 'border border-line bg-[repeating-linear-gradient(115deg,var(--border-3)_0_1px,transparent_1px_4px)]',
  bad: 'bg-fail-fill',
  stuck: 'bg-warn-fill',
}
const grid = 'grid grid-cols-[minmax(0,1fr)_minmax(72px,124px)_66px] gap-x-2.5'

/** Every hop with its bar on one shared axis. */
export function TraceView({ message }: { message: MessageDetail }) {
  const text = useTimeText((now) => JSON.stringify(readTrace(message, now)))
  const trace = JSON.parse(text) as Trace
  return (
    <section className="border-b border-hair px-4 pt-2.5 pb-1.5" aria-label="Trace">
      <div className="mb-0.5 flex items-center gap-2">
        <h3 className="font-semibold">Trace</h3>
        <span className="truncate text-sm text-fg-2">{trace.summary}</span>
        <span className="flex-1" />
        <CopyButton text={traceAsText(message, Date.now())} label="Copy the trace as text" isSmall />
      </div>
      {trace.rows.length === 0 ? (
        <p className="py-1 text-sm text-fg-3">The sender’s machine has not reported a hop yet.</p>
      ) : (
        <>
          <div aria-hidden className={cn(grid, 'text-xs text-fg-3')}>
            <span />
            <span className="flex justify-between">
              {trace.ticks.map((tick) => (
                <span key={tick}>{tick}</span>
              ))}
            </span>
            <span className="text-right">took</span>
          </div>
          <ol>
            {trace.rows.map((row, index) => (
              <li
                // biome-ignore lint/suspicious/noArrayIndexKey: hops only grow at the end
                key={index}
                className={cn(grid, 'h-[33px] items-center border-t border-hair')}
              >
                <span className="min-w-0">
                  <span
                    className={cn(
                      'block truncate leading-4 font-medium',
                      row.kind === 'bad' && 'text-fail',
                      row.kind === 'stuck' && 'text-warn',
                    )}
                  >
                    {row.title}
                  </span>
                  <span className="block truncate text-xs leading-[14px] text-fg-3" title={row.where}>
                    {row.where}
                  </span>
                </span>
                <span
                  aria-hidden
                  className="relative h-full border-r border-hair bg-[linear-gradient(to_right,var(--border-1)_1px,transparent_1px)] bg-[size:33.333%_100%]"
                >
                  {row.bar && (
                    <i
                      className={cn('absolute top-1/2 -mt-1 h-2 min-w-[3px] rounded-[2px]', bars[row.kind])}
                      style={{
                        left: `min(${((row.bar.fromMs / trace.axisMs) * 100).toFixed(2)}%, calc(100% - 3px))`,
                        width: `${(((row.bar.toMs - row.bar.fromMs) / trace.axisMs) * 100).toFixed(2)}%`,
                      }}
                    />
                  )}
                </span>
                <span className="text-right text-sm leading-[14px]">
                  {row.took}
                  <span className="block text-xs leading-[14px] text-fg-3">{row.at}</span>
                </span>
              </li>
            ))}
          </ol>
          <p className="border-t border-hair pt-1 pb-0.5 text-xs text-fg-3">
            Times are the sender’s; the clocks of two machines are never compared.
          </p>
        </>
      )}
    </section>
  )
}
