'use client'
import { createContext, type ReactNode, use, useCallback, useSyncExternalStore } from 'react'
import { age, ago, clock } from './format.ts'

/** One timer for all times on the page; it runs only while something listens. */
const listeners = new Set<() => void>()
let timer: ReturnType<typeof setInterval> | undefined

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  timer ??= setInterval(() => {
    for (const each of listeners) each()
  }, 1000)
  return () => {
    listeners.delete(listener)
    if (listeners.size === 0) {
      clearInterval(timer)
      timer = undefined
    }
  }
}

const RenderedAt = createContext(0)

/** Gives the server's clock to the first render, so that server and browser write the same words. */
export function ClockProvider({ now, children }: { now: number; children: ReactNode }) {
  return <RenderedAt value={now}>{children}</RenderedAt>
}

/** Text made of the current time; renders again only when the text changes. */
export function useTimeText(write: (now: number) => string): string {
  const renderedAt = use(RenderedAt)
  return useSyncExternalStore(
    subscribe,
    () => write(Date.now()),
    () => write(renderedAt),
  )
}

const never = () => () => {}

/** False on the server and while hydrating: local time zone and platform are known only after. */
export const useIsHydrated = (): boolean =>
  useSyncExternalStore(
    never,
    () => true,
    () => false,
  )

/** The exact time, for a title. */
export function stamp(at: number, isHydrated: boolean): string {
  const date = new Date(at)
  return isHydrated ? date.toLocaleString() : date.toISOString()
}

/** `3 min ago`, ticking; the exact time on hover. */
export function Ago({ at, className }: { at: number; className?: string }) {
  const text = useTimeText(useCallback((now: number) => ago(at, now), [at]))
  const isHydrated = useIsHydrated()
  return (
    <time dateTime={new Date(at).toISOString()} title={stamp(at, isHydrated)} className={className}>
      {text}
    </time>
  )
}

/** `22 min`, ticking, for sentences such as "oldest 22 min". */
export function Age({ at }: { at: number }) {
  const text = useTimeText(useCallback((now: number) => age(at, now), [at]))
  return <time dateTime={new Date(at).toISOString()}>{text}</time>
}

/** `14:32:07.412` in the reader's time zone, or `14:32` when short; the date on hover. */
export function Clock({
  at,
  withMs = false,
  isShort = false,
  className,
}: {
  at: number
  withMs?: boolean
  isShort?: boolean
  className?: string
}) {
  const isHydrated = useIsHydrated()
  const text = clock(at, isHydrated ? 'local' : 'utc', withMs)
  return (
    <time dateTime={new Date(at).toISOString()} title={stamp(at, isHydrated)} className={className}>
      {isShort ? text.slice(0, 5) : text}
    </time>
  )
}
