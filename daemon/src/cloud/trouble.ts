/** What is wrong with the control plane or the way to it, in a sentence for people. */
import { RelayError } from '../errors.ts'

/** The error for a frame that is not of our protocol. */
export const nonsense = (url: string, event: string): RelayError =>
  new RelayError(
    'INTERNAL',
    `${url} sent a ${event} frame that this version does not understand: use the agent-relay that it serves: npx ${url}/agent-relay.tgz`,
  )

const network: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there; is the control plane running, and is the port right?',
  ECONNRESET: 'it closed the connection; is the address one of an Agent Relay control plane?',
  ENOTFOUND: 'there is no machine of that name; check the address',
  EAI_AGAIN: 'the name could not be looked up; check your network connection',
  ETIMEDOUT: 'it does not answer; check the address, your network and firewall',
  EHOSTUNREACH: 'there is no way to that machine; check your network',
  ENETUNREACH: 'this machine has no network; it is tried again when that is back',
  UND_ERR_CONNECT_TIMEOUT: 'it does not answer; check the address, your network and firewall',
  UND_ERR_HEADERS_TIMEOUT: 'it took the request and does not answer; is the control plane healthy?',
  UND_ERR_SOCKET: 'it closed the connection; is the address one of an Agent Relay control plane?',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name; check the address',
  CERT_HAS_EXPIRED: 'its certificate has expired; its operator must renew it (and check the date of this machine)',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet; check the date of this machine',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS; if it is on this machine, write http:// instead of https://',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS; if it is on this machine, write http:// instead of https://',
  EPROTO: 'it does not speak TLS; if it is on this machine, write http:// instead of https://',
}
const UNTRUSTED =
  'its certificate is signed by nobody this machine trusts; set NODE_EXTRA_CA_CERTS to the file of your own authority, or check the address'
const untrusted = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
])

/** `Cannot reach <url>: <why and what to do>.` for an error of fetch or of the socket, however deep its cause sits. */
export function unreachable(url: string, error: unknown): string {
  const chain = causes(error)
  for (const { code } of chain) {
    if (code !== undefined && untrusted.has(code)) return sentence(url, UNTRUSTED)
    const known = code === undefined ? undefined : network[code]
    if (known !== undefined) return sentence(url, known)
  }
  const status = chain.map(({ message }) => /Unexpected server response: (\d+)/.exec(message ?? '')?.[1]).find(Boolean)
  if (status !== undefined)
    return `${url} answered ${status} where an Agent Relay control plane opens its socket: check the address, and that proxies before it pass WebSocket.`
  if ((error as { name?: string } | undefined)?.name === 'TimeoutError') return sentence(url, network.ETIMEDOUT ?? '')
  const last = chain.at(-1)
  return `Cannot reach ${url}: ${last?.message || last?.code || 'the connection failed'}; check the address and your network.`
}

const sentence = (url: string, why: string): string => `Cannot reach ${url}: ${why}${why.endsWith('?') ? '' : '.'}`

type Cause = { code: string | undefined; message: string | undefined }

/** The error and what it came from: `cause` for fetch, `description.error` for Socket.IO, the parts of an AggregateError. */
function causes(error: unknown, depth = 0): Cause[] {
  if (typeof error !== 'object' || error === null || depth > 6) return []
  const { code, message, cause, description, errors } = error as Record<string, unknown>
  const inner = (description as { error?: unknown } | undefined)?.error
  return [
    { code: typeof code === 'string' ? code : undefined, message: typeof message === 'string' ? message : undefined },
    ...causes(cause, depth + 1),
    ...causes(inner, depth + 1),
    ...(Array.isArray(errors) ? errors.flatMap((part) => causes(part, depth + 1)) : []),
  ]
}
