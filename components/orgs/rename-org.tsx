'use client'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useForm } from 'react-hook-form'
import { can } from '#lib/access/roles.ts'
import type { OrgView } from '#lib/trpc/views.ts'
import { useTRPC } from '../shell/trpc.tsx'
import { Button } from '../ui/button.tsx'
import { Card, CardHead } from '../ui/card.tsx'
import { Field, Input } from '../ui/field.tsx'
import { notify } from '../ui/notify.ts'

/** The organization's name; whoever may not change it sees who may. */
export function RenameOrg({ org }: { org: OrgView }) {
  const trpc = useTRPC()
  const queryClient = useQueryClient()
  const mayRename = can(org.role, 'org.update')
  const form = useForm({ values: { name: org.name }, resetOptions: { keepDirtyValues: true } })
  const error = form.formState.errors.name?.message
  const update = useMutation(
    trpc.orgs.update.mutationOptions({
      onSuccess: async (updated) => {
        await Promise.all([
          queryClient.invalidateQueries(trpc.orgs.pathFilter()),
          queryClient.invalidateQueries(trpc.me.pathFilter()),
        ])
        form.reset({ name: updated.name })
        notify('success', `The organization is now called ${updated.name}.`)
      },
      onError: (problem) => form.setError('name', { message: problem.message }),
    }),
  )
  const isSame = form.watch('name').trim() === org.name
  return (
    <Card aria-label="General">
      <CardHead title="General" />
      <form
        noValidate
        className="grid gap-3 p-3"
        onSubmit={form.handleSubmit(({ name }) => update.mutate({ org: org.slug, name: name.trim() }))}
      >
        <Field
          id="org-name"
          label="Name"
          hint={mayRename ? 'The slug, and with it every address, stays.' : 'Owners and admins may change it.'}
          error={error}
        >
          <Input
            id="org-name"
            readOnly={!mayRename}
            aria-invalid={error !== undefined}
            {...form.register('name', {
              validate: (value) => value.trim() !== '' || 'An organization has a name.',
              maxLength: { value: 80, message: 'A name has at most 80 characters.' },
            })}
          />
        </Field>
        {mayRename && (
          <div>
            <Button type="submit" variant="primary" aria-disabled={isSame || update.isPending}>
              {update.isPending ? 'Renaming' : 'Rename'}
            </Button>
          </div>
        )}
      </form>
    </Card>
  )
}
