import { CircleCheck, CircleMinus } from 'lucide-react'
import type { ReactNode } from 'react'
import type { LinkRequestView } from '#lib/trpc/views.ts'

/** How the request ended, in one line with what comes next. */
export function Outcome({ title, isGood = false, children }: { title: string; isGood?: boolean; children: ReactNode }) {
  const Icon = isGood ? CircleCheck : CircleMinus
  return (
    <div role="status" className="grid grid-cols-[24px_minmax(0,1fr)]">
      <Icon aria-hidden size={16} className={`mt-1 ${isGood ? 'text-ok' : 'text-off'}`} />
      <h2 className="text-xl font-semibold tracking-[-0.015em]">{title}</h2>
      <div className="col-start-2 mt-1 grid gap-2 text-fg-2">{children}</div>
    </div>
  )
}

const ended = {
  approved: (name: string) => ['This code was used', `${name} is linked already; its terminal says where.`],
  denied: (name: string) => ['This code was denied', `To ask again, run agent-relay link on ${name}.`],
  expired: (name: string) => ['This code has expired', `Run agent-relay link on ${name} again and use the new code.`],
} as const

export function Ended({ request, onOtherCode }: { request: LinkRequestView; onOtherCode: () => void }) {
  const [title, text] = ended[request.state === 'pending' ? 'expired' : request.state](request.machineName)
  return (
    <Outcome isGood={request.state === 'approved'} title={title ?? ''}>
      <p>{text}</p>
      <button type="button" className="w-fit font-medium text-accent hover:underline" onClick={onOtherCode}>
        Type another code
      </button>
    </Outcome>
  )
}
