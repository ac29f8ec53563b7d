/** How this machine can be reached, by what its interfaces, its router and its operator say. */
import { isIP } from 'node:net'
import type { NetworkInterfaceInfo } from 'node:os'
import type { Candidate, CandidateKind } from '@agent-relay/protocol'
import { RelayError } from '../errors.ts'

export type Interfaces = Record<string, NetworkInterfaceInfo[] | undefined>

/** So many of each kind: a machine with a bridge for every container must not crowd out what others can reach. */
const MOST: Record<CandidateKind, number> = {
  local: 1,
  vpn: 3,
  lan: 5,
  public: 3,
  advertised: 2,
  mapped: 1,
  punched: 1,
}
const ORDER: CandidateKind[] = ['local', 'vpn', 'lan', 'public', 'advertised', 'mapped']

/** WireGuard, Tailscale and what macOS names tunnels. */
const VPN_NAMES = /^(utun|wg|tailscale)/i
/** Bridges between containers and virtual machines of one computer: their addresses are the same on the next one. */
const BRIDGE_NAMES = /^(docker|br-|veth|virbr|vmnet|vboxnet|vEthernet)/i

/** The candidates of these interfaces for a listener on `port`; public ones are not known to be reachable yet. */
export function ofInterfaces(interfaces: Interfaces, port: number): Candidate[] {
  const found = Object.entries(interfaces).flatMap(([name, infos]) =>
    (infos ?? []).flatMap((info) => {
      const kind = kindOf(name, info)
      return kind === undefined ? [] : [{ kind, host: info.address, port, isBridge: BRIDGE_NAMES.test(name) }]
    }),
  )
  found.sort((one, other) => Number(one.isBridge) - Number(other.isBridge))
  return arrange(found.map(({ kind, host }) => ({ kind, host, port })))
}

function kindOf(name: string, { address, family, internal }: NetworkInterfaceInfo): CandidateKind | undefined {
  if (internal) return 'local'
  const place = family === 'IPv4' ? placeOfV4(address) : placeOfV6(address)
  return place !== undefined && VPN_NAMES.test(name) ? 'vpn' : place
}

/** RFC 1918, RFC 6598 (which Tailscale uses), RFC 3927. */
function placeOfV4(address: string): CandidateKind | undefined {
  const [a = 0, b = 0] = address.split('.').map(Number)
  if (a === 127) return 'local'
  if (a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168)) return 'lan'
  if (a === 100 && b >= 64 && b < 128) return 'vpn'
  if (a === 0 || a >= 224 || (a === 169 && b === 254)) return undefined
  return 'public'
}

/** Global unicast, ULA (RFC 4193) and the part of that which is Tailscale's. Link-local ones need a zone, which others cannot know. */
function placeOfV6(address: string): CandidateKind | undefined {
  const text = address.toLowerCase()
  if (text === '::1') return 'local'
  if (text.startsWith('fd7a:115c:a1e0:')) return 'vpn'
  if (/^f[cd]/.test(text)) return 'lan'
  return /^[23]/.test(text) && text.includes(':') ? 'public' : undefined
}

/** Whether others can only reach this address from within some network. */
export function isPrivate(address: string): boolean {
  const place = isIP(address) === 6 ? placeOfV6(address) : placeOfV4(address)
  return isIP(address) !== 0 && place !== 'public'
}

/** Addresses of the interfaces without loopback: who shares one with another machine's candidates is on the same computer. */
export const hostsOf = (interfaces: Interfaces): string[] =>
  Object.values(interfaces).flatMap((infos) =>
    (infos ?? []).filter(({ internal }) => !internal).map(({ address }) => address),
  )

/** The nearest kinds first, each address once, and of each kind no more than others need. */
export function arrange(candidates: readonly Candidate[]): Candidate[] {
  const seen = new Set<string>()
  return ORDER.flatMap((kind) => {
    const fresh = candidates.filter((one) => one.kind === kind && !seen.has(`${one.host} ${one.port}`))
    const taken = fresh.slice(0, MOST[kind])
    for (const { host, port } of taken) seen.add(`${host} ${port}`)
    return taken
  })
}

/** Of AGENT_RELAY_ADVERTISE: `host:port`, several with commas. Throws BAD_REQUEST that names the value. */
export function parseAdvertised(text: string | undefined): Candidate[] {
  return (text?.split(',') ?? []).map((part) => {
    const [, bracketed, plain, digits] = /^\s*(?:\[([^\]]+)\]|([^\s:[\]/]+)):(\d{1,5})\s*$/.exec(part) ?? []
    const [host, port] = [bracketed ?? plain, Number(digits)]
    const isAddress = bracketed === undefined || isIP(bracketed) === 6
    if (host !== undefined && host.length <= 253 && isAddress && port >= 1 && port <= 65_535)
      return { kind: 'advertised', host, port }
    throw new RelayError(
      'BAD_REQUEST',
      `AGENT_RELAY_ADVERTISE has ${JSON.stringify(part.trim())}: set it to host:port, such as relay.example.com:41650 or [2001:db8::1]:41650, or unset it.`,
    )
  })
}
