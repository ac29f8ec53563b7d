import { BaseEdge, type Edge, EdgeLabelRenderer, type EdgeProps } from '@xyflow/react'
import type { LinkRow } from '#lib/trpc/views.ts'
import { Shape } from '../marks/status.tsx'
import { cn } from '../ui/cn.ts'
import { type Drawn, pointOn, RING } from './curves.ts'
import { labelOf } from './layout.ts'

export type LinkLine = Edge<{ link: LinkRow; drawn: Drawn; isChosen: boolean; onChoose: () => void }, 'link'>
export type Spoke = Edge<{ path: string; isUp: boolean; isChosen: boolean }, 'spoke'>

/** Solid is direct, dashed goes by relay, dotted is down; doubt is amber. */
const strokes: Record<LinkRow['state'], { stroke: string; strokeWidth: number; strokeDasharray?: string }> = {
  direct: { stroke: 'var(--text-2)', strokeWidth: 1.5 },
  relay: { stroke: 'var(--text-3)', strokeWidth: 1.5, strokeDasharray: '5 4' },
  probing: { stroke: 'var(--text-3)', strokeWidth: 1.5, strokeDasharray: '5 4' },
  suspect: { stroke: 'var(--warn-fill)', strokeWidth: 1.5, strokeDasharray: '5 4' },
  down: { stroke: 'var(--off-fill)', strokeWidth: 1.25, strokeDasharray: '1 5' },
}

export function LinkPath({ data }: EdgeProps<LinkLine>) {
  if (data === undefined) return null
  const { link, drawn, isChosen, onChoose } = data
  const style = isChosen ? { ...strokes[link.state], stroke: 'var(--accent-solid)' } : strokes[link.state]
  const { strong, quiet } = labelOf(link)
  const { from, to } = drawn.curve
  const label = drawn.label ?? (isChosen ? pointOn(drawn.curve, 0.5) : null)
  return (
    <>
      <BaseEdge path={drawn.path} style={{ ...style, strokeLinecap: 'round' }} interactionWidth={18} />
      {[from, to].map((end, i) => (
        <circle
          key={i === 0 ? 'from' : 'to'}
          cx={end.x}
          cy={end.y}
          r={RING - 0.5}
          fill="var(--surface-raised)"
          stroke={style.stroke}
          strokeWidth={1.5}
        />
      ))}
      {label !== null && (
        <EdgeLabelRenderer>
          <button
            type="button"
            // The table is what the keyboard goes through.
            tabIndex={-1}
            onClick={onChoose}
            style={{ transform: `translate(-50%, -50%) translate(${label.x}px, ${label.y}px)` }}
            className={cn(
              'pointer-events-auto absolute flex h-[20px] items-center gap-1 rounded-full border bg-raised px-2 text-xs whitespace-nowrap',
              isChosen ? 'border-accent-solid' : 'border-line hover:border-strong',
            )}
          >
            {link.state === 'down' && <Shape kind="dash" />}
            {strong !== '' && <span className="font-medium">{strong}</span>}
            <span className={link.state === 'suspect' ? 'text-warn' : 'text-fg-2'}>{quiet}</span>
          </button>
        </EdgeLabelRenderer>
      )}
    </>
  )
}

/** A machine's own connection to the control plane: there for the eye to find its way, and no more. */
export function SpokePath({ data }: EdgeProps<Spoke>) {
  if (data === undefined) return null
  const { path, isUp, isChosen } = data
  return (
    <BaseEdge
      path={path}
      interactionWidth={0}
      style={{
        stroke: isChosen ? 'var(--accent-solid)' : 'var(--border-3)',
        strokeOpacity: isChosen ? 1 : 0.4,
        strokeWidth: 1,
        ...(!isUp && { strokeDasharray: '1 5', strokeLinecap: 'round' }),
      }}
    />
  )
}
