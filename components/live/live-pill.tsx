'use client'
import { Pause, Play } from 'lucide-react'
import { Shape } from '../marks/status.tsx'
import { cn } from '../ui/cn.ts'
import { useLive } from './live.tsx'

/** Says whether what one sees is current; a click pauses and resumes. A lost connection is said, not hidden. */
export function LivePill() {
  const { state, isPaused, togglePause } = useLive()
  const word = isPaused ? 'Paused' : state === 'live' ? 'Live' : state === 'connecting' ? 'Connecting' : 'Reconnecting'
  const title = isPaused
    ? 'Changes wait until you resume'
    : state === 'live'
      ? 'Pause: what you read stays as it is'
      : 'No connection to the control plane: what you see may be old'
  return (
    <button
      type="button"
      onClick={togglePause}
      title={title}
      aria-label={`${word}. ${isPaused ? 'Resume' : 'Pause'} live updates`}
      className="inline-flex h-[22px] shrink-0 items-center gap-1.5 rounded-full border border-line px-[7px] text-sm font-medium whitespace-nowrap hover:bg-surface-3 focus-visible:rounded-full"
    >
      {!isPaused && state === 'live' ? (
        <span aria-hidden className="mx-0.5 size-1.5 rounded-full bg-accent-solid ring-3 ring-accent-soft" />
      ) : (
        <Shape kind={isPaused ? 'dash' : 'half'} />
      )}
      <span role="status" className={cn(!isPaused && state === 'lost' && 'text-warn')}>
        {word}
      </span>
      {isPaused ? (
        <Play aria-hidden size={12} className="text-fg-3" />
      ) : (
        <Pause aria-hidden size={12} className="text-fg-3" />
      )}
    </button>
  )
}
