'use client'
import { dayName, whenShort } from './days.ts'
import { stamp, useIsHydrated, useTimeText } from './time.tsx'

/** `14:32` today, `Mon` within a week, else `4 Nov`; the exact time on hover. */
export function When({ at, className }: { at: number; className?: string }) {
  const isHydrated = useIsHydrated()
  const text = useTimeText((now) => whenShort(at, now, isHydrated ? 'local' : 'utc'))
  return (
    <time dateTime={new Date(at).toISOString()} title={stamp(at, isHydrated)} className={className}>
      {text}
    </time>
  )
}

/** `Today`, `Yesterday`, `Monday 23 November`. */
export function Day({ at }: { at: number }) {
  const isHydrated = useIsHydrated()
  const text = useTimeText((now) => dayName(at, now, isHydrated ? 'local' : 'utc'))
  return <time dateTime={new Date(at).toISOString()}>{text}</time>
}
