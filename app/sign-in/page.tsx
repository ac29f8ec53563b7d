import type { Metadata } from 'next'
import { headers } from 'next/headers'
import { redirect } from 'next/navigation'
import { SignIn } from '#components/auth/sign-in.tsx'
import { PlainPage } from '#components/shell/plain-page.tsx'
import { getActor } from '#lib/auth/actor.ts'
import { safePath } from '#lib/auth/callback-url.ts'
import { signInOptions } from '#lib/auth/sign-in-options.ts'

export const metadata: Metadata = { title: 'Sign in' }

const one = (value: string | string[] | undefined): string | null => (typeof value === 'string' ? value : null)

type SearchParams = Record<string, string | string[] | undefined>

export default async function SignInPage({ searchParams }: { searchParams: Promise<SearchParams> }) {
  const { callbackUrl, error } = await searchParams
  const target = safePath(pathOf(one(callbackUrl)))
  const actor = await getActor(await headers())
  if (actor?.kind === 'user' && !error) redirect(target)
  return (
    <PlainPage>
      <SignIn {...signInOptions()} callbackUrl={target} error={one(error)} />
    </PlainPage>
  )
}

/** next-auth sends whole URLs back after an error; whatever host they name, only their path is followed. */
function pathOf(url: string | null): string | null {
  if (url === null || !URL.canParse(url)) return url
  const { pathname, search } = new URL(url)
  return pathname + search
}
