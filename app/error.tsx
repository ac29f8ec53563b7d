'use client'
import { Mark } from '#components/marks/mark.tsx'
import { PlainPage } from '#components/shell/plain-page.tsx'

export default function RootError({ error, reset }: { error: Error & { digest?: string }; reset: () => void }) {
  return (
    <PlainPage>
      <div className="grid w-full max-w-[400px] justify-items-start gap-3">
        <Mark size={32} />
        <h1 className="text-2xl font-semibold tracking-[-0.025em]">This page failed</h1>
        <p className="text-fg-2">
          The control plane’s log has the reason{error.digest === undefined ? '' : ` under ${error.digest}`}. If it
          stays so, check that its database answers: <span className="mono">/api/ready</span>.
        </p>
        {/* A plain button: this page is part of every other. */}
        <button type="button" className="font-medium text-accent hover:underline" onClick={reset}>
          Try again
        </button>
      </div>
    </PlainPage>
  )
}
