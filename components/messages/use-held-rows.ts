'use client'
import { useCallback, useState } from 'react'
import type { MessageRow } from '#lib/trpc/views.ts'

/**
 * Keeps a live list still while somebody reads it: rows that came after `hold()` wait above, until `release()`.
 * What is on screen goes on changing in place, because a receipt moves no row.
 */
export function useHeldRows(rows: MessageRow[]): {
  visible: MessageRow[]
  newer: number
  hold: () => void
  release: () => void
} {
  const [first, setFirst] = useState<string | null>(null)
  const at = first === null ? 0 : rows.findIndex((row) => row.id === first)
  const newer = Math.max(0, at) // the held row left the list: nothing to keep still any more
  return {
    visible: newer === 0 ? rows : rows.slice(newer),
    newer,
    hold: () => setFirst((before) => before ?? rows[0]?.id ?? null),
    release: useCallback(() => setFirst(null), []),
  }
}
