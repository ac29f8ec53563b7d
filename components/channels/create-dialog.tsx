'use client'
import { ChannelName } from '@agent-relay/protocol'
import { zodResolver } from '@hookform/resolvers/zod'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useForm } from 'react-hook-form'
import { z } from 'zod'
import { useTRPC } from '../shell/trpc.tsx'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Field, Input } from '../ui/field.tsx'
import { Topic } from './topic.ts'
import { refreshChannels } from './use-channel-change.ts'

/** With or without `#`, as people write it. */
const Name = z
  .string()
  .trim()
  .transform((text) => text.replace(/^#/, ''))
  .pipe(ChannelName)
const Schema = z.object({ name: Name, topic: Topic })

/** Makes a channel with the person as its first member. */
export function CreateDialog({
  org,
  open,
  onOpenChange,
  onCreated,
}: {
  org: string
  open: boolean
  onOpenChange: (open: boolean) => void
  onCreated: (name: string) => void
}) {
  const trpc = useTRPC()
  const queryClient = useQueryClient()
  const form = useForm({ resolver: zodResolver(Schema), defaultValues: { name: '', topic: '' } })
  const create = useMutation(
    trpc.channels.create.mutationOptions({
      onSuccess: async ({ name }) => {
        await refreshChannels(queryClient, trpc)
        onOpenChange(false)
        form.reset()
        onCreated(name)
      },
      onError: (error) => form.setError('name', { message: error.message }),
    }),
  )
  const { errors } = form.formState
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title="Create a channel"
      description="What is written to it reaches every agent in it, and everybody here may read it. You are its first member."
      footer={
        <>
          <Button size="lg" onClick={() => onOpenChange(false)}>
            Cancel
          </Button>
          <Button type="submit" form="create-channel" size="lg" variant="primary" aria-disabled={create.isPending}>
            {create.isPending ? 'Creating the channel' : 'Create the channel'}
          </Button>
        </>
      }
    >
      <form
        id="create-channel"
        noValidate
        className="grid gap-3"
        onSubmit={form.handleSubmit(({ name, topic }) => create.mutate({ org, name, topic }))}
      >
        <Field
          id="channel-name"
          label="Name"
          hint="Agents write to it as #name: letters, digits, “-” and “_”."
          error={errors.name?.message}
        >
          <Input
            id="channel-name"
            placeholder="ops"
            aria-invalid={errors.name !== undefined}
            {...form.register('name')}
          />
        </Field>
        <Field
          id="channel-topic"
          label="Topic"
          hint="One line on what it is for. You can change it later."
          error={errors.topic?.message}
        >
          <Input id="channel-topic" aria-invalid={errors.topic !== undefined} {...form.register('topic')} />
        </Field>
      </form>
    </Dialog>
  )
}
