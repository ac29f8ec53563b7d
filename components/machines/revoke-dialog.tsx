'use client'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import type { MachineRow } from '#lib/trpc/views.ts'
import { plural } from '../format/format.ts'
import { useTRPC } from '../shell/trpc.tsx'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { notify } from '../ui/notify.ts'

/** Says what revoking does before it does it. */
export function RevokeDialog({
  org,
  machine,
  open,
  onOpenChange,
}: {
  org: string
  machine: MachineRow
  open: boolean
  onOpenChange: (open: boolean) => void
}) {
  const trpc = useTRPC()
  const queryClient = useQueryClient()
  const revoke = useMutation(
    trpc.machines.revoke.mutationOptions({
      onSuccess: async () => {
        await queryClient.invalidateQueries(trpc.machines.pathFilter())
        onOpenChange(false)
        notify('success', `${machine.name} is revoked.`)
      },
    }),
  )
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={`Revoke ${machine.name}`}
      footer={
        <>
          <Button size="lg" onClick={() => onOpenChange(false)}>
            Cancel
          </Button>
          <Button
            size="lg"
            variant="danger"
            aria-disabled={revoke.isPending}
            onClick={() => revoke.mutate({ org, machineId: machine.id })}
          >
            {revoke.isPending ? 'Revoking' : 'Revoke the machine'}
          </Button>
        </>
      }
    >
      <ul className="grid list-disc gap-1 pl-4 text-fg-2">
        <li>
          Its key <span className="mono">{machine.keyPrefix}…</span> stops working at once, and an open connection is
          closed.
        </li>
        <li>
          {machine.agents.length === 0
            ? 'No agent runs on it.'
            : `${plural(machine.agents.length, 'agent')} on it can no longer be reached: ${machine.agents.map((agent) => agent.name).join(', ')}.`}
        </li>
        {machine.waiting > 0 && <li>{plural(machine.waiting, 'message')} that wait for it will not arrive.</li>}
        <li>To use the machine again, link it again. This cannot be undone.</li>
      </ul>
      {revoke.error && (
        <p role="alert" className="text-fail">
          {revoke.error.message}
        </p>
      )}
    </Dialog>
  )
}
