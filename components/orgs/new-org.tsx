'use client'
import { toSlug } from '@agent-relay/protocol'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import Link from 'next/link'
import { useRouter } from 'next/navigation'
import { useForm } from 'react-hook-form'
import { paths } from '#lib/paths.ts'
import { useTRPC } from '../shell/trpc.tsx'
import { Button, buttonStyles } from '../ui/button.tsx'
import { Field, Input } from '../ui/field.tsx'

/** Name → slug, which one may change; what is wrong stands at its field. */
export function NewOrg({ origin, backTo }: { origin: string; backTo: string | null }) {
  const trpc = useTRPC()
  const router = useRouter()
  const queryClient = useQueryClient()
  const form = useForm({ defaultValues: { name: '', slug: '' } })
  const { errors } = form.formState
  const [name, ownSlug] = form.watch(['name', 'slug'])
  const slug = ownSlug === '' ? (toSlug(name) ?? '') : ownSlug
  const create = useMutation(
    trpc.orgs.create.mutationOptions({
      onSuccess: async (org) => {
        await queryClient.invalidateQueries(trpc.me.pathFilter())
        router.push(paths.org(org.slug))
      },
      onError: (error) => {
        const field = error.data?.details?.field === 'name' ? 'name' : 'slug'
        form.setError(field, { message: error.message })
        form.setFocus(field)
      },
    }),
  )
  return (
    <form
      noValidate
      className="grid gap-4"
      onSubmit={form.handleSubmit((values) =>
        create.mutate({ name: values.name, ...(values.slug !== '' && { slug: values.slug }) }),
      )}
    >
      <Field id="name" label="Name" hint="Your team or company, such as Acme." error={errors.name?.message}>
        <Input
          id="name"
          aria-invalid={errors.name !== undefined}
          {...form.register('name', {
            validate: (value) => value.trim() !== '' || 'Give the organization a name.',
            maxLength: { value: 80, message: 'A name has at most 80 characters.' },
          })}
        />
      </Field>
      <Field
        id="slug"
        label="Slug"
        hint={slug === '' ? 'Made from the name.' : `${origin}${paths.org(slug)}`}
        error={errors.slug?.message}
      >
        <Input
          id="slug"
          className="font-mono"
          placeholder={toSlug(name) ?? 'acme'}
          aria-invalid={errors.slug !== undefined}
          {...form.register('slug')}
        />
      </Field>
      <div className="flex items-center gap-2">
        <Button type="submit" variant="primary" size="lg" aria-disabled={create.isPending || create.isSuccess}>
          {create.isPending || create.isSuccess ? 'Creating' : 'Create the organization'}
        </Button>
        {backTo !== null && (
          <Link href={backTo} className={buttonStyles({ variant: 'ghost', size: 'lg' })}>
            Cancel
          </Link>
        )}
      </div>
    </form>
  )
}
