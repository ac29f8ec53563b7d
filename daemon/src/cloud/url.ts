/** Which address of a control plane may be used. */
import { RelayError } from '../errors.ts'

type Options = { isInsecureAllowed?: boolean | undefined }

/**
 * The origin of a control plane, such as https://relay.example.com, from what a person wrote.
 * Plain http would show the machine key to the network, so it is for loopback only unless allowed.
 * Throws BAD_REQUEST that names the address and what to write instead.
 */
export function controlOrigin(text: string, { isInsecureAllowed = false }: Options = {}): string {
  const bad = (why: string): RelayError => new RelayError('BAD_REQUEST', `${shown(text)} ${why}`)
  let url: URL
  try {
    url = new URL(text.includes('://') ? text : `https://${text}`)
  } catch {
    throw bad('is not a URL; write it like: agent-relay link --url https://relay.example.com')
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw bad(`starts with ${url.protocol}// where https:// belongs`)
  if (url.username !== '' || url.password !== '') throw bad('holds a password; leave it out and sign in in the browser')
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '')
    throw bad(`has more than an address; use: agent-relay link --url ${url.origin}`)
  if (url.protocol === 'http:' && !isLoopback(url.hostname) && !isInsecureAllowed)
    throw bad(
      `is plain http to another machine, which would show your key to the network: use https://${url.host}, or add --insecure-http if you trust every hop`,
    )
  return url.origin
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)
}

/** The text for a message: short, and without a password that may stand in it. */
const shown = (text: string): string => JSON.stringify(text.replace(/\/\/[^/@]*@/, '//…@').slice(0, 120))
