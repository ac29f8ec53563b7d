'use client'
import { useQuery } from '@tanstack/react-query'
import { useForm } from 'react-hook-form'
import { useTRPC } from '../shell/trpc.tsx'
import { useUrlState } from '../shell/use-url-state.ts'
import { Button } from '../ui/button.tsx'
import { Field, Input } from '../ui/field.tsx'
import { BoneRows } from '../ui/skeleton.tsx'
import { Approve } from './approve.tsx'

/** Confirms that the machine which shows this code may join an organization. */
export function LinkMachine() {
  const [params, setParams] = useUrlState()
  const code = params.get('code')
  const request = useQuery({
    ...useTRPC().link.inspect.queryOptions({ userCode: code ?? '' }),
    enabled: code !== null && code !== '',
    retry: false,
  })
  if (code && request.data)
    return <Approve key={request.data.userCode} request={request.data} onOtherCode={() => setParams({ code: null })} />
  if (code && request.isFetching)
    return (
      <div aria-busy className="rounded-3 border border-line">
        <BoneRows rows={4} />
      </div>
    )
  return (
    <CodeForm
      key={code}
      wrong={code ?? ''}
      error={request.error?.message}
      onCode={(next) => (next === code ? void request.refetch() : setParams({ code: next }))}
    />
  )
}

function CodeForm({
  wrong,
  error,
  onCode,
}: {
  wrong: string
  error: string | undefined
  onCode: (code: string) => void
}) {
  const form = useForm({ defaultValues: { code: wrong } })
  const problem = form.formState.errors.code?.message ?? error
  return (
    <form noValidate className="grid gap-4" onSubmit={form.handleSubmit(({ code }) => onCode(code.trim()))}>
      <Field id="code" label="Code" hint="The terminal on the machine shows it." error={problem}>
        <Input
          id="code"
          autoCapitalize="characters"
          isLarge
          className="font-mono tracking-[0.12em] uppercase"
          aria-invalid={problem !== undefined}
          {...form.register('code', { validate: (value) => value.trim() !== '' || 'Type the code from the terminal.' })}
        />
      </Field>
      <div>
        <Button type="submit" variant="primary" size="lg">
          Continue
        </Button>
      </div>
    </form>
  )
}
