'use client'
import { zodResolver } from '@hookform/resolvers/zod'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useForm } from 'react-hook-form'
import { z } from 'zod'
import type { ChannelRow } from '#lib/trpc/views.ts'
import { useTRPC } from '../shell/trpc.tsx'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Field, Input } from '../ui/field.tsx'
import { Topic } from './topic.ts'
import { refreshChannels } from './use-channel-change.ts'

const Schema = z.object({ topic: Topic })

export function TopicDialog({
  org,
  channel,
  open,
  onOpenChange,
}: {
  org: string
  channel: ChannelRow
  open: boolean
  onOpenChange: (open: boolean) => void
}) {
  const trpc = useTRPC()
  const queryClient = useQueryClient()
  const form = useForm({ resolver: zodResolver(Schema), defaultValues: { topic: channel.topic ?? '' } })
  const update = useMutation(
    trpc.channels.update.mutationOptions({
      onSuccess: async () => {
        await refreshChannels(queryClient, trpc)
        onOpenChange(false)
      },
      onError: (error) => form.setError('topic', { message: error.message }),
    }),
  )
  const error = form.formState.errors.topic?.message
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={`Topic of #${channel.name}`}
      footer={
        <>
          <Button size="lg" onClick={() => onOpenChange(false)}>
            Cancel
          </Button>
          <Button type="submit" form="channel-topic-form" size="lg" variant="primary" aria-disabled={update.isPending}>
            {update.isPending ? 'Saving the topic' : 'Save the topic'}
          </Button>
        </>
      }
    >
      <form
        id="channel-topic-form"
        noValidate
        onSubmit={form.handleSubmit(({ topic }) => update.mutate({ org, name: channel.name, topic }))}
      >
        <Field id="topic" label="What it is for" hint="One line. Empty removes it." error={error}>
          <Input id="topic" aria-invalid={error !== undefined} {...form.register('topic')} />
        </Field>
      </form>
    </Dialog>
  )
}
