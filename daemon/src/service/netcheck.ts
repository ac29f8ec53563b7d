/** `agent-relay netcheck`: what the link manager found out of how this machine can be reached, and what a person can do. */
import type { NetworkInterfaceInfo } from 'node:os'
import type { NetcheckView } from '@agent-relay/protocol/local'
import type { Control } from './control.ts'
import { hostPort, shortly } from './link-views.ts'
import type { NetFacts } from './peering.ts'

type Found = {
  url: string | null
  control: ReturnType<Control['view']>
  facts: NetFacts
  /** As os.networkInterfaces has them. */
  interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>
}

export function netcheckView({ url, control, facts, interfaces }: Found): NetcheckView {
  const { isOn, why, port, observedAddress, mapping, punch } = facts
  const candidates = facts.candidates.map((candidate) => ({ ...candidate, why: shortly(candidate.why) }))
  const tried = candidates.flatMap(({ isReachable }) => isReachable ?? [])
  const isReachable = control.state === 'connected'
  return {
    control: {
      url,
      isReachable,
      latencyMs: isReachable ? control.latencyMs : null,
      reason: isReachable ? null : (control.reason ?? (url === null ? 'this machine is not linked' : control.state)),
    },
    direct: { isOn, why: shortly(why) },
    ipv4: addresses(interfaces, 'IPv4'),
    ipv6: addresses(interfaces, 'IPv6'),
    seenAs: observedAddress,
    port,
    isReached: tried.length === 0 ? null : tried.includes(true),
    mapping: {
      state: mapping.state,
      external: mapping.external && hostPort(mapping.external),
      why: shortly(mapping.why),
    },
    punch: { isPossible: punch.isPossible, why: shortly(punch.why) },
    candidates,
    advice: url === null ? 'Link this machine first: agent-relay link' : advice(facts),
  }
}

/** Addresses by which another machine may reach this one: neither its own loop nor what is valid on one cable only. */
const addresses = (interfaces: Found['interfaces'], family: 'IPv4' | 'IPv6'): string[] =>
  Object.values(interfaces)
    .flatMap((all) => all ?? [])
    .filter((one) => one.family === family && !one.internal && !/^(fe[89ab]|169\.254\.)/i.test(one.address))
    .map((one) => one.address)

const ELSEWHERE = new Set(['vpn', 'public', 'advertised', 'mapped'])

/** One sentence when only the relay is left for machines of other networks; null while something else may do. */
function advice({ isOn, why, port, candidates, punch, mapping }: NetFacts): string | null {
  if (!isOn || port === null) return `This machine makes no direct links (${why}): everything goes by relay`
  const isOpen = candidates.some(({ kind, isReachable }) => ELSEWHERE.has(kind) && isReachable !== false)
  if (isOpen || punch.isPossible !== false) return null
  const router = mapping.state === 'mapped' ? '' : `turn on UPnP or NAT-PMP in the router, `
  return `Machines on other networks reach this one by relay only: ${router}let TCP port ${port} through to it, or put both into one VPN`
}
