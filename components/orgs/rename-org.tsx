'use client'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
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
  // null until somebody types: then a name that changed elsewhere shows.
  const [typed, setTyped] = useState<string | null>(null)
  const [error, setError] = useState<string>()
  const name = (typed ?? org.name).trim()
  const update = useMutation(
    trpc.orgs.update.mutationOptions({
      onSuccess: async (updated) => {
        await Promise.all([
          queryClient.invalidateQueries(trpc.orgs.pathFilter()),
          queryClient.invalidateQueries(trpc.me.pathFilter()),
        ])
        setTyped(null)
        notify('success', `The organization is now called ${updated.name}.`)
      },
      onError: (problem) => setError(problem.message),
    }),
  )
  function submit(event: FormEvent) {
    event.preventDefault()
    const wrong =
      name === '' ? 'An organization has a name.' : name.length > 80 ? 'A name has at most 80 characters.' : undefined
    setError(wrong)
    if (wrong === undefined) update.mutate({ org: org.slug, name })
  }
  return (
    <Card aria-label="General">
      <CardHead title="General" />
      <form noValidate className="grid gap-3 p-3" onSubmit={submit}>
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
            value={typed ?? org.name}
            onChange={(event) => setTyped(event.target.value)}
          />
        </Field>
        {mayRename && (
          <div>
            <Button type="submit" variant="primary" aria-disabled={name === org.name || update.isPending}>
              {update.isPending ? 'Renaming' : 'Rename'}
            </Button>
          </div>
        )}
      </form>
    </Card>
  )
}
