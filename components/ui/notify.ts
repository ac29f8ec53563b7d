'use client'
import { useSyncExternalStore } from 'react'

type Notice = { kind: 'success' | 'error'; text: string }

let queue: readonly Notice[] = []
const listeners = new Set<() => void>()

function set(next: readonly Notice[]) {
  queue = next
  for (const listener of listeners) listener()
}

/** One sentence at the corner of the page, for what happened elsewhere than where one looks. */
export const notify = (kind: Notice['kind'], text: string): void => set([...queue, { kind, text }])

/** For the board alone: what waits, which then no longer waits. */
export function takeNotices(): readonly Notice[] {
  const taken = queue
  if (taken.length > 0) set([])
  return taken
}

const subscribe = (listener: () => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

export const useNoticeCount = (): number =>
  useSyncExternalStore(
    subscribe,
    () => queue.length,
    () => 0,
  )
