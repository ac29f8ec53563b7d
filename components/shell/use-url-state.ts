'use client'
import { useSearchParams } from 'next/navigation'
import { useCallback } from 'react'

type Update = Record<string, string | null>

/**
 * State that lives in the query of the address: links carry it, the back button undoes it. An absent key is its default, so
 * null and '' remove it. Next follows `history` by itself; the server is not asked.
 */
export function useUrlState(): [URLSearchParams, (update: Update, how?: 'push' | 'replace') => void] {
  const params = useSearchParams()
  const change = useCallback((update: Update, how: 'push' | 'replace' = 'replace') => {
    const url = new URL(window.location.href)
    for (const [key, value] of Object.entries(update))
      if (value === null || value === '') url.searchParams.delete(key)
      else url.searchParams.set(key, value)
    window.history[how === 'push' ? 'pushState' : 'replaceState'](null, '', url)
  }, [])
  return [params, change]
}

/** The first of `choices` is the default, for an absent value and for one that nobody offered. */
export const oneOf = <T extends string>(choices: readonly [T, ...T[]], value: string | null): T =>
  choices.find((choice) => choice === value) ?? choices[0]
