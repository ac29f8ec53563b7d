'use client'
import { useCallback, useState } from 'react'
import { useIsHydrated } from '../format/time.tsx'

const place = (org: string, key: string) => `agent-relay.draft.${org}.${key}`

/** Private windows and full storage: the text then lives as long as the field does. */
function stored(name: string): string {
  try {
    return sessionStorage.getItem(name) ?? ''
  } catch {
    return ''
  }
}

/** What one has written and not sent, for each conversation, until the tab is closed. Mount it anew for another one. */
export function useDraft(org: string, key: string): [string, (text: string) => void] {
  const name = place(org, key)
  const [text, setText] = useState(() => (typeof window === 'undefined' ? '' : stored(name)))
  const change = useCallback(
    (next: string) => {
      setText(next)
      try {
        if (next === '') sessionStorage.removeItem(name)
        else sessionStorage.setItem(name, next)
      } catch {
        // as above
      }
    },
    [name],
  )
  // The server knows no draft: the first picture is the same on both sides.
  return [useIsHydrated() ? text : '', change]
}
