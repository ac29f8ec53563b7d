/**
 * Where to go after sign-in, as a path of ours; `/` for anything that could lead elsewhere. `//host`, `/\host` and control
 * characters, which browsers read as another site, are no paths.
 */
export function safePath(wanted: string | null | undefined): string {
  const base = 'http://relay.invalid'
  if (!wanted?.startsWith('/') || !URL.canParse(wanted, base)) return '/'
  const url = new URL(wanted, base)
  // `/.//host` has become `//host` by now.
  return url.origin === base && !url.pathname.startsWith('//') ? `${url.pathname}${url.search}${url.hash}` : '/'
}

/** The same for next-auth, which hands over whole URLs too: those of this install keep their path. */
export function safeRedirect({ url, baseUrl }: { url: string; baseUrl: string }): string {
  const isOurs = URL.canParse(url) && new URL(url).origin === new URL(baseUrl).origin
  const path = isOurs ? new URL(url).href.slice(new URL(url).href.indexOf('/', 8)) : url
  return new URL(safePath(path), baseUrl).href
}
