import { env } from '#lib/env.ts'

/**
 * Whether a browser sent this from one of our own pages. Browsers set Origin on every POST, and no page of another site can
 * forge it, so whatever changes something on the strength of a cookie asks here first.
 */
export function isSameOrigin(headers: Headers): boolean {
  const origin = headers.get('origin')
  if (!origin || !URL.canParse(origin)) return false
  const url = new URL(origin)
  return url.origin === new URL(env().PUBLIC_URL).origin || url.host === headers.get('host')
}
