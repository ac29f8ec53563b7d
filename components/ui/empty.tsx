import type { ReactNode } from 'react'

/** What this is, and the one thing to do. */
export function Empty({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="mx-auto grid w-full max-w-[452px] gap-2 px-5 py-12">
      <h2 className="text-lg font-semibold">{title}</h2>
      <div className="grid gap-2 text-fg-2">{children}</div>
    </div>
  )
}

/** What ends by itself as soon as it has happened. */
export function Waiting({ children }: { children: ReactNode }) {
  return (
    <p role="status" className="flex items-center gap-2 text-sm text-fg-2">
      <span
        aria-hidden
        className="size-3 shrink-0 animate-spin rounded-full border-[1.5px] border-line border-t-accent-solid [animation-duration:1.4s]"
      />
      {children}
    </p>
  )
}

/** A query that failed: its own sentence and a way to try again; never a blank page. */
export function Failed({ error, onRetry }: { error: { message: string }; onRetry: () => void }) {
  return (
    <Empty title="This did not load">
      <p>{error.message}</p>
      <p>
        <button type="button" onClick={onRetry} className="font-medium text-accent hover:underline">
          Try again
        </button>
      </p>
    </Empty>
  )
}
