'use client'
import { Plus } from 'lucide-react'
import { lazy, Suspense, useState } from 'react'
import { Button } from '../ui/button.tsx'

const LinkMachineDialog = lazy(() =>
  import('./link-machine-dialog.tsx').then((module) => ({ default: module.LinkMachineDialog })),
)

export function LinkMachineButton({ org, origin }: { org: string; origin: string }) {
  const [open, setOpen] = useState(false)
  const [wasOpen, setWasOpen] = useState(false)
  return (
    <>
      <Button
        variant="primary"
        onClick={() => {
          setWasOpen(true)
          setOpen(true)
        }}
      >
        <Plus aria-hidden size={14} />
        Link a machine
      </Button>
      <Suspense>
        {wasOpen && <LinkMachineDialog org={org} origin={origin} open={open} onOpenChange={setOpen} />}
      </Suspense>
    </>
  )
}
