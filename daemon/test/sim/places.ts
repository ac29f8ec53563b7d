/** Where the machines are: networks, addresses, routers, and what of all this lets a packet through at the moment. */
import type { Candidate } from '@agent-relay/protocol'
import type { Random } from './random.ts'
import type { NetworkKind, Schedule } from './schedule.ts'

/** How a packet gets to a machine: from within the same network, over a VPN, or across the internet. */
export type Way = { to: string; by: 'lan' | 'vpn' | 'internet' }

export type Places = {
  /** By what this machine's interfaces and its router say. */
  candidatesOf(machine: string): Candidate[]
  hostsOf(machine: string): string[]
  /** Which machine `from` gets to at this address now; undefined where there is none. */
  find(from: string, candidate: Candidate): Way | undefined
  /** How the control plane sees this machine's shared port. */
  seenOf(machine: string): Candidate
  /** Who is met at this address when both try at once, which a router that gives every connection another port prevents. */
  metAt(candidate: Candidate): string | undefined
  isPunchable(machine: string): boolean
  /** Whether a packet gets through now. */
  passes(from: string, way: Way): boolean
  latencyMs(from: string, way: Way): number
  /** Counts up whenever this machine is in another network; its old addresses are gone then. */
  versionOf(machine: string): number
  move(machine: string, network: number): void
  /** Nothing gets from one to the other while this is on, and nobody is told. */
  setHole(from: string, to: string, isOn: boolean): void
  setPower(machine: string, isOn: boolean): void
  isOn(machine: string): boolean
  /** Whether a link between these two is possible when nothing is broken, and if so whether by a near address. */
  between(one: string, other: string): 'near' | 'far' | undefined
  heal(): void
}

const PORT = 4_000
/** Where routers map to a machine's listener, and what port of a router its shared port becomes, by the machine's number. */
const MAPPED = 20_000
const SHARED = 50_000

type Spot = { index: number; network: number; slot: number; version: number; isOn: boolean; hasVpn: boolean }

type Options = {
  random: Random
  machines: Schedule['machines']
  networks: NetworkKind[]
  isCut: (machine: string) => boolean
}

export function createPlaces({ random, machines, networks, isCut }: Options): Places {
  const spots = new Map<string, Spot>()
  const holes = new Set<string>()
  for (const [index, { network, hasVpn }] of machines.entries())
    spots.set(`m${index}`, { index, network, slot: freeSlot(network), version: 0, isOn: true, hasVpn })
  /** One way, in ms, of each pair of networks. */
  const distances = networks.map(() => networks.map(() => random.between(4, 60)))

  const spotOf = (machine: string): Spot => spots.get(machine) as Spot
  const kindOf = ({ network }: Spot): NetworkKind => networks[network] as NetworkKind
  const nameOf = ({ index }: Spot): string => `m${index}`

  /** The lowest that nobody has, so that whoever comes gets the address of whoever left. */
  function freeSlot(network: number): number {
    const taken = [...spots.values()].filter((spot) => spot.network === network).map(({ slot }) => slot)
    let slot = 0
    while (taken.includes(slot)) slot++
    return slot
  }

  const privateHost = ({ slot }: Spot): string => `192.168.1.${slot + 2}`
  const publicHost = ({ network, slot }: Spot): string => `203.0.113.${10 * network + slot + 1}`
  const routerHost = (network: number): string => `198.51.100.${network + 1}`
  const vpnHost = ({ index }: Spot): string => `100.64.0.${index + 1}`
  const hostOf = (spot: Spot): string => (kindOf(spot) === 'open' ? publicHost(spot) : privateHost(spot))
  const canPunch = (spot: Spot): boolean => kindOf(spot) === 'home' || kindOf(spot) === 'mapped'

  function find(from: string, { host, port }: Candidate): Way | undefined {
    const here = spotOf(from)
    for (const spot of spots.values()) {
      const to = nameOf(spot)
      const isHere = spot.network === here.network
      if (host === vpnHost(spot)) return spot.hasVpn && here.hasVpn ? { to, by: 'vpn' } : undefined
      if (host === publicHost(spot) && kindOf(spot) === 'open') return { to, by: isHere ? 'lan' : 'internet' }
      if (isHere && host === privateHost(spot) && kindOf(spot) !== 'open' && kindOf(spot) !== 'walled')
        return { to, by: 'lan' }
      // From within, most routers do not send what is for themselves back in.
      if (!isHere && kindOf(spot) === 'mapped' && host === routerHost(spot.network) && port === MAPPED + spot.index)
        return { to, by: 'internet' }
    }
    return undefined
  }

  return {
    candidatesOf(machine) {
      const spot = spotOf(machine)
      const candidates: Candidate[] = [{ kind: 'local', host: '127.0.0.1', port: PORT }]
      if (spot.hasVpn) candidates.push({ kind: 'vpn', host: vpnHost(spot), port: PORT })
      candidates.push({ kind: kindOf(spot) === 'open' ? 'public' : 'lan', host: hostOf(spot), port: PORT })
      if (kindOf(spot) === 'mapped')
        candidates.push({ kind: 'mapped', host: routerHost(spot.network), port: MAPPED + spot.index })
      return candidates
    },
    hostsOf(machine) {
      const spot = spotOf(machine)
      return spot.hasVpn ? [hostOf(spot), vpnHost(spot)] : [hostOf(spot)]
    },
    find,
    seenOf(machine) {
      const spot = spotOf(machine)
      const host = kindOf(spot) === 'open' ? publicHost(spot) : routerHost(spot.network)
      return { kind: 'punched', host, port: SHARED + spot.index }
    },
    metAt({ host, port }) {
      const spot = [...spots.values()].find((one) => port === SHARED + one.index && host === routerHost(one.network))
      return spot && nameOf(spot)
    },
    isPunchable: (machine) => canPunch(spotOf(machine)),
    passes(from, { to, by }) {
      const [here, there] = [spotOf(from), spotOf(to)]
      if (!here.isOn || !there.isOn || holes.has(`${from} ${to}`)) return false
      if (by === 'lan') return here.network === there.network
      return !isCut(from) && !isCut(to)
    },
    latencyMs(from, { to, by }) {
      if (by === 'lan') return 1
      const [here, there] = [spotOf(from).network, spotOf(to).network]
      return distances[Math.min(here, there)]?.[Math.max(here, there)] as number
    },
    versionOf: (machine) => spotOf(machine).version,
    move(machine, network) {
      const spot = spotOf(machine)
      if (spot.network === network) return
      spot.slot = freeSlot(network)
      spot.network = network
      spot.version++
    },
    setHole(from, to, isOn) {
      if (isOn) holes.add(`${from} ${to}`)
      else holes.delete(`${from} ${to}`)
    },
    setPower(machine, isOn) {
      spotOf(machine).isOn = isOn
    },
    isOn: (machine) => spotOf(machine).isOn,
    between(one, other) {
      const [here, there] = [spotOf(one), spotOf(other)]
      const isSame = here.network === there.network
      if (here.hasVpn && there.hasVpn) return 'near'
      if (isSame && kindOf(here) !== 'walled') return kindOf(here) === 'open' ? 'far' : 'near'
      if (isSame) return undefined
      const isOpen = [here, there].some((spot) => kindOf(spot) === 'open' || kindOf(spot) === 'mapped')
      return isOpen || (canPunch(here) && canPunch(there)) ? 'far' : undefined
    },
    heal: () => holes.clear(),
  }
}
