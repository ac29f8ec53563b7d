'use client'
import { Plus } from 'lucide-react'
import dynamic from 'next/dynamic'
import { useState } from 'react'
import { Button } from '../ui/button.tsx'

const LinkMachineDialog = dynamic(
  () => import('./link-machine-dialog.tsx').then((module) => module.LinkMachineDialog),
  {
    ssr: false,
  },
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
      {wasOpen && <LinkMachineDialog org={org} origin={origin} open={open} onOpenChange={setOpen} />}
    </>
  )
}
