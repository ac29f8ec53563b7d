'use client'
import { useEffect, useRef } from 'react'

export type KeyMap = Record<string, (event: KeyboardEvent) => void>

/** Keys belong to what one types in, to what Enter would press, and to a dialog or menu that is open. */
function isTakenByOther(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement | null
  if (target?.closest('input, textarea, select, [contenteditable="true"]')) return true
  if (event.key === 'Enter' && target?.closest('a, button, summary')) return true
  return document.querySelector('[role="dialog"], [role="menu"]') !== null
}

/**
 * Page shortcuts. `k` is a key, `g o` one after the other within a second, `mod+k` with Command or Control; the last
 * works in inputs too.
 */
export function useKeys(keys: KeyMap): void {
  const current = useRef(keys)
  useEffect(() => {
    current.current = keys
  })
  useEffect(() => {
    let first: { key: string; at: number } | undefined
    function onKey(event: KeyboardEvent) {
      const key = event.key.length === 1 ? event.key.toLowerCase() : event.key
      const hasModifier = event.metaKey || event.ctrlKey
      if (event.altKey || event.isComposing) return
      if (!hasModifier && isTakenByOther(event)) return
      const sequence = first && event.timeStamp - first.at < 1000 ? `${first.key} ${key}` : undefined
      first = hasModifier ? undefined : { key, at: event.timeStamp }
      const run = hasModifier
        ? current.current[`mod+${key}`]
        : ((sequence && current.current[sequence]) ?? current.current[key])
      if (!run) return
      event.preventDefault()
      run(event)
    }
    window.addEventListener('keydown', onKey)
    return () => window.removeEventListener('keydown', onKey)
  }, [])
}
