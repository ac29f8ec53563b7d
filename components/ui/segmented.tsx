'use client'
import type { ReactNode } from 'react'
import { cn } from './cn.ts'

type Choice<T extends string> = { value: T; label: string; count?: ReactNode }

/** One of few, all of them visible. */
export function Segmented<T extends string>({
  label,
  value,
  choices,
  onChange,
}: {
  label: string
  value: T
  choices: readonly Choice<T>[]
  onChange: (value: T) => void
}) {
  return (
    <fieldset aria-label={label} className="inline-flex min-w-0 shrink-0 rounded-2 bg-surface-3 p-0.5">
      {choices.map((choice) => (
        <button
          key={choice.value}
          type="button"
          aria-pressed={choice.value === value}
          onClick={() => onChange(choice.value)}
          className={cn(
            'inline-flex h-[22px] items-center gap-1.5 rounded-1 px-2 text-sm whitespace-nowrap text-fg-2 hover:text-fg',
            'aria-pressed:bg-selected aria-pressed:font-medium aria-pressed:text-fg aria-pressed:shadow-node aria-pressed:ring-1 aria-pressed:ring-line',
          )}
        >
          {choice.label}
          {choice.count !== undefined && <span className="text-fg-3">{choice.count}</span>}
        </button>
      ))}
    </fieldset>
  )
}
