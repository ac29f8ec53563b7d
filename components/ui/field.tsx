import type { ComponentProps, ReactNode } from 'react'
import { cn } from './cn.ts'

/** Label above, hint or error below; the error belongs to the input by `aria-describedby`. */
export function Field({
  id,
  label,
  hint,
  error,
  children,
}: {
  id: string
  label: string
  hint?: ReactNode
  error?: string | undefined
  children: ReactNode
}) {
  return (
    <div className="grid gap-1.5">
      <label htmlFor={id} className="font-medium">
        {label}
      </label>
      {children}
      <p
        id={`${id}-note`}
        role={error ? 'alert' : undefined}
        className={cn('text-sm', error ? 'text-fail' : 'text-fg-3')}
      >
        {error ?? hint}
      </p>
    </div>
  )
}

/** A text input with the strong border (3:1). Give it the Field's id. */
export function Input({ className, id, isLarge = false, ...props }: ComponentProps<'input'> & { isLarge?: boolean }) {
  return (
    <input
      id={id}
      aria-describedby={id ? `${id}-note` : undefined}
      autoComplete="off"
      spellCheck={false}
      className={cn(
        'w-full min-w-0 rounded-2 border border-strong bg-surface-1 px-2.5 text-fg placeholder:text-fg-3 focus-visible:rounded-2 focus-visible:border-transparent focus-visible:outline-2 focus-visible:-outline-offset-1 aria-invalid:border-fail-fill',
        isLarge ? 'h-11 text-xl' : 'h-8',
        className,
      )}
      {...props}
    />
  )
}
