'use client'
import { useCallback, useState } from 'react'
import type { ConversationRow } from '#lib/trpc/views.ts'

export type HeldOrder = {
  ordered: ConversationRow[]
  newer: number
  hold: () => void
  release: () => void
}

/**
 * Keeps the order of a list that sorts itself by time while somebody points at it or has scrolled it: rows change in place, and
 * conversations that moved up or are new wait until `release`. `newer` counts them. Another `scope` is another list.
 */
export function useHeldOrder(rows: ConversationRow[], scope: string): HeldOrder {
  const [shown, setShown] = useState(scope)
  const [held, setHeld] = useState<{ keys: string[]; lastAt: number } | null>(null)
  const hold = () =>
    setHeld(
      (before) => before ?? { keys: rows.map(({ key }) => key), lastAt: Math.max(0, ...rows.map((r) => r.lastAt)) },
    )
  if (shown !== scope) {
    setShown(scope)
    setHeld(null)
  }
  const release = useCallback(() => setHeld(null), [])
  if (!held || shown !== scope) return { ordered: rows, newer: 0, hold, release }
  const byKey = new Map(rows.map((row) => [row.key, row]))
  return {
    ordered: held.keys.flatMap((key) => byKey.get(key) ?? []),
    newer: rows.filter(({ lastAt }) => lastAt > held.lastAt).length,
    hold,
    release,
  }
}
