import { cookies } from 'next/headers'
import { redirect } from 'next/navigation'
import { lastOrgCookie, paths } from '#lib/paths.ts'
import { api } from '#lib/trpc/server.ts'
import { requirePerson } from './require-person.ts'

/** To the organization that one was in last, else to the first team, else to the personal one. */
export default async function HomePage() {
  await requirePerson(paths.home())
  const { orgs } = await api.me.get()
  const last = (await cookies()).get(lastOrgCookie)?.value
  const org = orgs.find(({ slug }) => slug === last) ?? orgs.find(({ kind }) => kind === 'team') ?? orgs[0]
  redirect(org ? paths.org(org.slug) : paths.newOrg())
}
