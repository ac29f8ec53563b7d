'use client'
import { Empty } from '#components/ui/empty.tsx'

/** The shell stays; what failed is the page in it. The log has the rest under the digest. */
export default function OrgError({ error, reset }: { error: Error & { digest?: string }; reset: () => void }) {
  return (
    <Empty title="This page failed">
      <p>
        The control plane’s log has the reason
        {error.digest !== undefined && (
          <>
            {' '}
            under <span className="mono">{error.digest}</span>
          </>
        )}
        . The rest of the dashboard works on.
      </p>
      <p>
        <button type="button" className="font-medium text-accent hover:underline" onClick={reset}>
          Try again
        </button>
      </p>
    </Empty>
  )
}
