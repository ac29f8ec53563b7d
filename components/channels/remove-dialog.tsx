'use client'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import type { ChannelRow } from '#lib/trpc/views.ts'
import { plural } from '../format/format.ts'
import { useTRPC } from '../shell/trpc.tsx'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { notify } from '../ui/notify.ts'
import { refreshChannels } from './use-channel-change.ts'

/** Says what deleting does before it does it. */
export function RemoveDialog({
  org,
  channel,
  open,
  onOpenChange,
  onRemoved,
}: {
  org: string
  channel: ChannelRow
  open: boolean
  onOpenChange: (open: boolean) => void
  onRemoved: () => void
}) {
  const trpc = useTRPC()
  const queryClient = useQueryClient()
  const remove = useMutation(
    trpc.channels.remove.mutationOptions({
      onSuccess: async () => {
        onOpenChange(false)
        onRemoved()
        await refreshChannels(queryClient, trpc)
        notify('success', `#${channel.name} is deleted.`)
      },
    }),
  )
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={`Delete #${channel.name}`}
      footer={
        <>
          <Button size="lg" onClick={() => onOpenChange(false)}>
            Cancel
          </Button>
          <Button
            size="lg"
            variant="danger"
            aria-disabled={remove.isPending}
            onClick={() => remove.mutate({ org, name: channel.name })}
          >
            {remove.isPending ? 'Deleting' : 'Delete the channel'}
          </Button>
        </>
      }
    >
      <ul className="grid list-disc gap-1 pl-4 text-fg-2">
        <li>Its history is deleted for everybody. This cannot be undone.</li>
        <li>
          {channel.members.length === 0
            ? 'Nobody is in it.'
            : `${plural(channel.members.length, 'member')} no longer ${channel.members.length === 1 ? 'gets' : 'get'} its messages.`}
        </li>
        <li>
          Whoever writes to <span className="mono">#{channel.name}</span> afterwards is told that there is no such
          channel, until somebody makes it anew.
        </li>
      </ul>
      {remove.error && (
        <p role="alert" className="text-fail">
          {remove.error.message}
        </p>
      )}
    </Dialog>
  )
}
