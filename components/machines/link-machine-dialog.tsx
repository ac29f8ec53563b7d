'use client'
import { MachineName } from '@agent-relay/protocol'
import { zodResolver } from '@hookform/resolvers/zod'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useForm } from 'react-hook-form'
import { z } from 'zod'
import { can } from '#lib/access/roles.ts'
import type { NewMachineKey } from '#lib/trpc/views.ts'
import { useTRPC } from '../shell/trpc.tsx'
import { Button } from '../ui/button.tsx'
import { Command, CopyButton } from '../ui/copy.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Field, Input } from '../ui/field.tsx'
import { Segmented } from '../ui/segmented.tsx'
import { headlessCommand, linkCommand } from './commands.ts'

type Way = 'browser' | 'key'
type Props = { org: string; origin: string; open: boolean; onOpenChange: (open: boolean) => void }

/** Two ways to link: with a browser somewhere, or with a key where there is none. */
export function LinkMachineDialog({ org, origin, open, onOpenChange }: Props) {
  const [way, setWay] = useState<Way>('browser')
  const [created, setCreated] = useState<NewMachineKey | null>(null)
  const view = useQuery(useTRPC().orgs.get.queryOptions({ org }))
  const mayCreateKey = view.data !== undefined && can(view.data.role, 'machine.createKey')
  function change(isOpen: boolean) {
    onOpenChange(isOpen)
    if (!isOpen) setCreated(null) // the key is shown once: closing forgets it
  }
  return (
    <Dialog
      open={open}
      onOpenChange={change}
      title="Link a machine"
      footer={
        <Button size="lg" variant={created ? 'primary' : 'secondary'} onClick={() => change(false)}>
          {created ? 'I have kept the key' : 'Close'}
        </Button>
      }
    >
      {!created && (
        <div>
          <Segmented<Way>
            label="How to link"
            value={way}
            onChange={setWay}
            choices={[
              { value: 'browser', label: 'With a browser' },
              { value: 'key', label: 'Without a browser' },
            ]}
          />
        </div>
      )}
      {way === 'browser' && (
        <div className="grid gap-2 text-fg-2">
          <p>Run this on the machine, then confirm the code that it prints. The browser may be on another machine.</p>
          <Command text={linkCommand(origin)} />
          <p className="text-sm text-fg-3">Needs Node 22.13 or later. The machine appears here by itself.</p>
        </div>
      )}
      {way === 'key' && !created && !mayCreateKey && (
        <p className="text-fg-2">Only owners and admins may create keys. Ask one of them, or link with a browser.</p>
      )}
      {way === 'key' && !created && mayCreateKey && <KeyForm org={org} onCreated={setCreated} />}
      {created && <NewKey created={created} origin={origin} />}
    </Dialog>
  )
}

const Schema = z.object({ name: MachineName })

function KeyForm({ org, onCreated }: { org: string; onCreated: (created: NewMachineKey) => void }) {
  const trpc = useTRPC()
  const queryClient = useQueryClient()
  const form = useForm({ resolver: zodResolver(Schema), defaultValues: { name: '' } })
  const create = useMutation(
    trpc.machines.createKey.mutationOptions({
      onSuccess: (created) => {
        void queryClient.invalidateQueries(trpc.machines.pathFilter())
        onCreated(created)
      },
      onError: (error) => form.setError('name', { message: error.message }),
    }),
  )
  return (
    <form className="grid gap-3" noValidate onSubmit={form.handleSubmit(({ name }) => create.mutate({ org, name }))}>
      <p className="text-fg-2">For servers and CI. The key belongs to one machine and is shown once.</p>
      <Field
        id="machine-name"
        label="Name of the machine"
        hint="As it will stand in lists, such as build-01."
        error={form.formState.errors.name?.message}
      >
        <Input
          id="machine-name"
          className="font-mono"
          aria-invalid={form.formState.errors.name !== undefined}
          {...form.register('name')}
        />
      </Field>
      <div>
        <Button type="submit" variant="primary" size="lg" aria-disabled={create.isPending}>
          {create.isPending ? 'Creating the key' : 'Create the key'}
        </Button>
      </div>
    </form>
  )
}

function NewKey({ created, origin }: { created: NewMachineKey; origin: string }) {
  return (
    <div className="grid gap-3">
      <div className="grid gap-1.5">
        <p className="font-medium">
          Key of <span className="mono">{created.machine.name}</span>
        </p>
        <div className="flex items-center gap-1 rounded-2 border border-line bg-warn-soft py-1 pr-1 pl-3">
          <code className="mono min-w-0 flex-1 break-all">{created.key}</code>
          <CopyButton text={created.key} label="Copy the key" />
        </div>
        <p className="text-sm text-warn">It is not kept here and cannot be shown again. Lost it? Revoke the machine.</p>
      </div>
      <div className="grid gap-1.5">
        <p className="text-fg-2">
          On the machine, run this and paste the key as its input, or set <span className="mono">AGENT_RELAY_KEY</span>:
        </p>
        <Command text={headlessCommand(origin)} />
      </div>
    </div>
  )
}
