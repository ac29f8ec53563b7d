/** A person at a browser, without the browser: signs in by the local link and uses the same addresses as the pages. */

export type Person = {
  query<T>(procedure: string, input?: unknown): Promise<T>
  change<T>(procedure: string, input: unknown): Promise<T>
  /** Lets the machine with this code into the organization (id or slug). */
  approve(userCode: string, org: string): Promise<void>
}

/** Uses up a one-time link and keeps the session that it gives. */
export async function signIn(url: string, link: string): Promise<Person> {
  const answer = await fetch(link, { redirect: 'manual' })
  const cookie = answer.headers
    .getSetCookie()
    .map((one) => one.split(';', 1)[0])
    .join('; ')
  if (cookie === '') throw new Error(`The sign-in link gave no session (status ${answer.status}).`)
  // The pages' own changes carry their origin; without it they are refused as another site's.
  const headers = { cookie, origin: url, 'content-type': 'application/json' }

  async function read<T>(response: Response): Promise<T> {
    const text = await response.text()
    const body = JSON.parse(text) as { result?: { data: T }; error?: { message: string } }
    if (body.result === undefined) throw new Error(body.error?.message ?? text.slice(0, 300))
    return body.result.data
  }

  return {
    async query(procedure, input) {
      const search = new URLSearchParams({ input: JSON.stringify(input ?? null) })
      return read(await fetch(`${url}/api/trpc/${procedure}?${search}`, { headers }))
    },
    async change(procedure, input) {
      const body = JSON.stringify(input)
      return read(await fetch(`${url}/api/trpc/${procedure}`, { method: 'POST', headers, body }))
    },
    async approve(userCode, org) {
      const body = JSON.stringify({ user_code: userCode, org })
      const response = await fetch(`${url}/api/link/approve`, { method: 'POST', headers, body })
      if (!response.ok) throw new Error(`The approval was refused: ${(await response.text()).slice(0, 300)}`)
    },
  }
}
