'use client'
import { lazy, Suspense, useState } from 'react'
import { can } from '#lib/access/roles.ts'
import type { OrgView } from '#lib/trpc/views.ts'
import { Ago } from '../format/time.tsx'
import { Button } from '../ui/button.tsx'
import { Card, CardHead } from '../ui/card.tsx'
import { everyMember } from './every-member.ts'

const ArchiveDialog = lazy(() => import('./archive-dialog.tsx').then((module) => ({ default: module.ArchiveDialog })))

/** Who can read the bodies of messages between agents: only their two machines, or every member too. */
export function Archive({ org }: { org: OrgView }) {
  const [isAsking, setAsking] = useState(false)
  const [wasAsked, setWasAsked] = useState(false)
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
            <Button
              onClick={() => {
                setWasAsked(true)
                setAsking(true)
              }}
            >
              {isOn ? 'Turn the archive off' : 'Turn the archive on'}
            </Button>
          </div>
        ) : (
          <p className="text-sm text-fg-3">Owners and admins may change it.</p>
        )}
      </div>
      <Suspense>
        {wasAsked && <ArchiveDialog org={org} isOn={isOn} open={isAsking} onOpenChange={setAsking} />}
      </Suspense>
    </Card>
  )
}
