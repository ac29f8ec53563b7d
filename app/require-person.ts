import { headers } from 'next/headers'
import { redirect } from 'next/navigation'
import { getActor } from '#lib/auth/actor.ts'
import { paths } from '#lib/paths.ts'

/** Sends whoever is signed out to the sign-in page, and back to `here` after it. */
export async function requirePerson(here: string): Promise<void> {
  const actor = await getActor(await headers())
  if (actor?.kind !== 'user') redirect(paths.signIn(here))
}
