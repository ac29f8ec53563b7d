'use client'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import type { OrgView } from '#lib/trpc/views.ts'
import { useTRPC } from '../shell/trpc.tsx'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { notify } from '../ui/notify.ts'
import { everyMember } from './every-member.ts'

/** Says what changes, and for whom, before it does. */
export function ArchiveDialog({
  org,
  isOn,
  open,
  onOpenChange,
}: {
  org: OrgView
  isOn: boolean
  open: boolean
  onOpenChange: (open: boolean) => void
}) {
  const trpc = useTRPC()
  const queryClient = useQueryClient()
  const set = useMutation(
    trpc.orgs.setArchive.mutationOptions({
      onSuccess: async ({ archiveSince }) => {
        await queryClient.invalidateQueries(trpc.orgs.pathFilter())
        onOpenChange(false)
        notify('success', archiveSince === null ? 'The archive is off.' : 'The archive is on.')
      },
    }),
  )
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={isOn ? 'Turn the archive off' : 'Turn the archive on'}
      footer={
        <>
          <Button size="lg" onClick={() => onOpenChange(false)}>
            Cancel
          </Button>
          <Button
            size="lg"
            variant="primary"
            aria-disabled={set.isPending}
            onClick={() => set.mutate({ org: org.slug, isOn: !isOn })}
          >
            {isOn ? 'Turn it off' : 'Turn it on'}
          </Button>
        </>
      }
    >
      <ul className="grid list-disc gap-1 pl-4 text-fg-2">{isOn ? <WhenOff /> : <WhenOn org={org} />}</ul>
      {set.error && (
        <p role="alert" className="text-fail">
          {set.error.message}
        </p>
      )}
    </Dialog>
  )
}

const WhenOn = ({ org }: { org: OrgView }) => (
  <>
    <li>From now on each machine sends a copy of every message between agents to {org.name}, sealed on its way.</li>
    <li>
      Here {everyMember(org)} can read and search them for 30 days, and so can whoever runs this control plane and its
      database.
    </li>
    <li>
      <code className="mono">agent-relay status</code> says so on every machine.
    </li>
    <li>What was sent before stays on its machines. What is to or from a person stays in their inbox.</li>
    <li>The audit log has who turned it on, and when.</li>
  </>
)

const WhenOff = () => (
  <>
    <li>From now on machines send no copies, and only the two ends of a message can read it.</li>
    <li>What is in the archive can be read here until it is 30 days old.</li>
    <li>The audit log has who turned it off, and when.</li>
  </>
)
