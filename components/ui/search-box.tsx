'use client'
import { Search, X } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import { useKeys } from '../shell/use-keys.ts'
import { Kbd } from './badge.tsx'

/** A quiet search field that `/` reaches. What is typed goes out 200 ms later, so that the URL does not follow every key. */
export function SearchBox({
  label,
  value,
  onChange,
}: {
  label: string
  value: string
  onChange: (value: string) => void
}) {
  const input = useRef<HTMLInputElement>(null)
  const [text, setText] = useState(value)
  const [sent, setSent] = useState(value)
  if (value !== sent) {
    // The URL changed by itself: back button, palette.
    setSent(value)
    setText(value)
  }
  useEffect(() => {
    if (text === value) return
    const timer = setTimeout(() => {
      setSent(text)
      onChange(text)
    }, 200)
    return () => clearTimeout(timer)
  }, [text, value, onChange])
  useKeys({ '/': () => input.current?.focus() })
  return (
    <label className="flex h-[26px] w-full min-w-0 sm:max-w-52 items-center gap-2 rounded-2 border border-strong pr-1 pl-2 text-sm text-fg-3 focus-within:outline-2 focus-within:-outline-offset-1 focus-within:outline-focus">
      <Search aria-hidden size={14} className="shrink-0" />
      <span className="sr-only">{label}</span>
      <input
        ref={input}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Escape') return
          setText('')
          event.currentTarget.blur()
        }}
        placeholder={label}
        spellCheck={false}
        className="min-w-0 flex-1 bg-transparent text-fg outline-none placeholder:text-fg-3"
      />
      {text === '' ? (
        <Kbd className="max-sm:hidden">/</Kbd>
      ) : (
        <button
          type="button"
          aria-label="Clear the search"
          className="grid size-[18px] place-items-center rounded-1 hover:bg-surface-3"
          onClick={() => setText('')}
        >
          <X aria-hidden size={12} />
        </button>
      )}
    </label>
  )
}
