/**
 * A port of the router that leads here, asked for by UPnP and NAT-PMP. Most routers that have neither, or have it turned off,
 * simply do not answer: that is no trouble, and nobody is told but who asks.
 */
import type { Gateway } from '@achingbrain/nat-port-mapper'
import { routerOf } from './gateway.ts'

/** As Syncthing: what a machine that went away left open closes within the hour. */
const LEASE_MS = 3_600_000
const RENEW_MS = 1_800_000
/** NAT-PMP answers within a round trip on one's own network; UPnP is a conversation over HTTP after a search. */
const PMP_MS = 1_000
const UPNP_MS = 4_000

type Mapping = {
  state: 'off' | 'none' | 'mapped'
  external: { host: string; port: number } | null
  why: string
}

export type PortMapper = {
  view(): Mapping
  /** Asks the router (anew); resolves with what came of it, and never rejects. `lanHost`: null when no address is private. */
  map(port: number, lanHost: string | null): Promise<Mapping>
  /** Gives the port back, as far as the router answers within a second. */
  stop(): Promise<void>
}

type Options = {
  isOff: boolean
  /** After a renewal that changed something. */
  changed: () => void
  debug: (text: string) => void
  /** The router of an address's network. */
  gatewayOf?: (lanHost: string) => string
}

export function createPortMapper({ isOff, changed, debug, gatewayOf = routerOf }: Options): PortMapper {
  let mapping: Mapping = isOff ? OFF : { state: 'none', external: null, why: 'no router was asked yet' }
  let held: Found | undefined
  let timer: NodeJS.Timeout | undefined
  let asked: Promise<Mapping> | undefined
  let isStopped = false

  async function ask(port: number, lanHost: string): Promise<Mapping> {
    const { pmpNat, upnpNat } = await import('@achingbrain/nat-port-mapper')
    const before = held
    const again = before === undefined ? [] : [() => mapAt(before.gateway, { port, lanHost, waitMs: UPNP_MS })]
    const tries = [
      ...again,
      () => overPmp(pmpNat, { router: gatewayOf(lanHost), port, lanHost }),
      () => overUpnp(upnpNat, port, lanHost),
    ]
    for (const tryOne of tries) {
      try {
        held = await tryOne()
        if (before !== undefined && before.gateway !== held.gateway) await before.gateway.stop().catch(() => undefined)
        const { gateway, external } = held
        const why = `the router at ${gateway.host} opened port ${external.port} for this machine`
        return { state: 'mapped', external, why }
      } catch (error) {
        debug(`no port by the router: ${String((error as Error).message ?? error)}`)
      }
    }
    await drop()
    const why = 'the router opens no ports on request (neither NAT-PMP nor UPnP answered)'
    return { state: 'none', external: null, why }
  }

  async function drop(): Promise<void> {
    const before = held
    held = undefined
    if (before === undefined) return
    await before.gateway.unmap(before.port, { signal: AbortSignal.timeout(PMP_MS) }).catch(() => undefined)
    await before.gateway.stop({ signal: AbortSignal.timeout(PMP_MS) }).catch(() => undefined)
  }

  function map(port: number, lanHost: string | null): Promise<Mapping> {
    if (isOff || isStopped) return Promise.resolve(mapping)
    if (lanHost === null) {
      mapping = {
        state: 'none',
        external: null,
        why: 'this machine is in no private network, so there is no router to ask',
      }
      return Promise.resolve(mapping)
    }
    clearTimeout(timer)
    asked ??= ask(port, lanHost).then((found) => {
      asked = undefined
      const isOther = JSON.stringify(found) !== JSON.stringify(mapping)
      mapping = found
      // Also a router that had none: it may be another one by then.
      if (!isStopped) timer = setTimeout(() => void map(port, lanHost), RENEW_MS).unref()
      if (isOther) changed()
      return found
    })
    return asked
  }

  return {
    view: () => mapping,
    map,
    async stop() {
      isStopped = true
      clearTimeout(timer)
      await drop()
    },
  }
}

const OFF: Mapping = { state: 'off', external: null, why: 'turned off by AGENT_RELAY_PORT_MAPPING=off' }

type Found = { gateway: Gateway; port: number; external: { host: string; port: number } }
type Library = typeof import('@achingbrain/nat-port-mapper')
type Wanted = { port: number; lanHost: string; waitMs: number }

async function mapAt(gateway: Gateway, { port, lanHost, waitMs }: Wanted): Promise<Found> {
  const signal = AbortSignal.timeout(waitMs)
  const options = { protocol: 'tcp', description: 'agent-relay', signal } as const
  const { externalHost, externalPort } = await gateway.map(port, lanHost, options)
  return { gateway, port, external: { host: externalHost, port: externalPort } }
}

type Asked = { router: string; port: number; lanHost: string }

async function overPmp(pmpNat: Library['pmpNat'], { router, port, lanHost }: Asked): Promise<Found> {
  // Its lease goes out as it is given, in the protocol's seconds.
  const gateway = pmpNat(router, { ttl: LEASE_MS / 1_000, autoRefresh: false })
  // Without a listener an error of its socket (no route, port taken) would be thrown where nobody catches it.
  const failed = new Promise<never>((_, reject) => (gateway as unknown as NodeJS.EventEmitter).on('error', reject))
  try {
    return await Promise.race([mapAt(gateway, { port, lanHost, waitMs: PMP_MS }), failed])
  } catch (error) {
    await gateway.stop().catch(() => undefined)
    throw error
  }
}

async function overUpnp(upnpNat: Library['upnpNat'], port: number, lanHost: string): Promise<Found> {
  const signal = AbortSignal.timeout(UPNP_MS)
  for await (const gateway of upnpNat({ ttl: LEASE_MS, autoRefresh: false }).findGateways({ signal })) {
    if (gateway.family !== 'IPv4') continue
    return mapAt(gateway, { port, lanHost, waitMs: UPNP_MS })
  }
  throw new Error('no UPnP gateway answered')
}
