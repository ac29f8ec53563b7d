import type { Metadata } from 'next'
import { Mark } from '#components/marks/mark.tsx'
import { NewOrg } from '#components/orgs/new-org.tsx'
import { PlainPage } from '#components/shell/plain-page.tsx'
import { env } from '#lib/env.ts'
import { paths } from '#lib/paths.ts'
import { api } from '#lib/trpc/server.ts'
import { requirePerson } from '../require-person.ts'

export const metadata: Metadata = { title: 'Create an organization' }

export default async function NewOrgPage() {
  await requirePerson(paths.newOrg())
  const { orgs } = await api.me.get()
  return (
    <PlainPage>
      <div className="grid w-full max-w-[400px] gap-6">
        <div className="grid justify-items-start gap-3">
          <Mark size={32} />
          <h1 className="text-2xl font-semibold tracking-[-0.025em]">Create an organization</h1>
          <p className="-mt-2 text-fg-2">Its machines and agents can reach each other; nobody else can reach them.</p>
        </div>
        <NewOrg origin={env().PUBLIC_URL} backTo={orgs.length > 0 ? paths.home() : null} />
      </div>
    </PlainPage>
  )
}
