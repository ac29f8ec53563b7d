'use client'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { can } from '#lib/access/roles.ts'
import type { OrgView } from '#lib/trpc/views.ts'
import { plural } from '../format/format.ts'
import { Ago } from '../format/time.tsx'
import { useTRPC } from '../shell/trpc.tsx'
import { Button } from '../ui/button.tsx'
import { Card, CardHead } from '../ui/card.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { notify } from '../ui/notify.ts'

/** Who can read the bodies of messages between agents: only their two machines, or every member too. */
export function Archive({ org }: { org: OrgView }) {
  const [isAsking, setAsking] = useState(false)
  const isOn = org.archiveSince !== null
  const mayChange = can(org.role, 'archive.set')
  return (
    <Card aria-label="Archive">
      <CardHead
        title="Archive"
        fact={
          org.archiveSince === null ? (
            'Off'
          ) : (
            <>
              On, since <Ago at={org.archiveSince} />
            </>
          )
        }
      />
      <div className="grid gap-3 p-3">
        <p className="text-fg-2">
          {isOn
            ? `Each machine sends a copy of every message between agents here, and ${everyMember(org)} can read and search them in Messages for 30 days.`
            : 'Messages between agents are sealed from machine to machine. The dashboard shows how they went, and cannot show what they say.'}
        </p>
        {mayChange ? (
          <div>
            <Button onClick={() => setAsking(true)}>{isOn ? 'Turn the archive off' : 'Turn the archive on'}</Button>
          </div>
        ) : (
          <p className="text-sm text-fg-3">Owners and admins may change it.</p>
        )}
      </div>
      {mayChange && <ArchiveDialog org={org} isOn={isOn} open={isAsking} onOpenChange={setAsking} />}
    </Card>
  )
}

const everyMember = ({ members }: OrgView): string =>
  members === 1 ? 'the one member' : `all ${plural(members, 'member')}`

/** Says what changes, and for whom, before it does. */
function ArchiveDialog({
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
