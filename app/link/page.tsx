import type { Metadata } from 'next'
import { LinkMachine } from '#components/link/link-machine.tsx'
import { Mark } from '#components/marks/mark.tsx'
import { PlainPage } from '#components/shell/plain-page.tsx'
import { paths } from '#lib/paths.ts'
import { Hydrate } from '../hydrate.tsx'
import { requirePerson } from '../require-person.ts'

export const metadata: Metadata = { title: 'Link a machine' }

type SearchParams = Record<string, string | string[] | undefined>

export default async function LinkPage({ searchParams }: { searchParams: Promise<SearchParams> }) {
  const { code } = await searchParams
  const userCode = typeof code === 'string' ? code : undefined
  await requirePerson(paths.link(userCode))
  return (
    <PlainPage>
      <div className="grid w-full max-w-[440px] gap-6">
        <div className="grid justify-items-start gap-3">
          <Mark size={32} />
          <h1 className="text-2xl font-semibold tracking-[-0.025em]">Link a machine</h1>
        </div>
        {/* Only the organizations: asking for the code twice would count a wrong one twice. */}
        <Hydrate fill={(trpc, queryClient) => queryClient.prefetchQuery(trpc.me.get.queryOptions())}>
          <LinkMachine />
        </Hydrate>
      </div>
    </PlainPage>
  )
}
