/**
 * Direct links to other machines: begun when there is somebody to link to, and loaded only then, because servers and
 * certificates cost a start more than everything else. Messages never wait for them.
 */
import { RelayError } from '../errors.ts'
import type { PeerSettings } from '../peers/settings.ts'
import type { PeerLinks } from './peer-links.ts'
import type { NetFacts, Peering, PeeringOptions } from './peering-types.ts'
import type { Self, Trust } from './trust.ts'

export type { NetFacts, Peering, PeerPong } from './peering-types.ts'

export function createPeering(options: PeeringOptions): Peering {
  const { log, control, settings } = options
  let links: PeerLinks | undefined
  /** As whom they are, or are about to be, open. */
  let openAs: Self | null = null
  let trouble: string | null = null
  let closing: Promise<void> = Promise.resolve()

  async function close(): Promise<void> {
    const before = links
    links = undefined
    openAs = null
    closing = Promise.all([closing, before?.close()]).then(() => undefined)
    await closing
  }

  function trusted(): void {
    if (settings.port === null) return
    const trust = control.trust()
    if (openAs !== null && openAs !== trust.self) close().catch(failed)
    if (links !== undefined) links.trusted()
    else if (openAs === null && trust.self !== null && hasOthers(trust)) open(trust.self).catch(failed)
  }

  async function open(self: Self): Promise<void> {
    openAs = self
    await closing
    const { openPeerLinks } = await import('./peer-links.ts')
    const opened = await openPeerLinks({ ...options, self })
    // Unlinked, or linked anew, while it was loading.
    if (openAs !== self) {
      await opened.close()
      return
    }
    links = opened
    trouble = null
    opened.trusted()
  }

  function failed(error: unknown): void {
    trouble = `direct links could not be started: ${error instanceof RelayError ? error.message : String(error)}`
    log.error('direct links could not be started; everything goes by relay', { error })
  }

  const offTrust = control.onTrust(trusted)
  const offSignal = control.onSignal((signal) => links?.signal(signal))

  return {
    views: () => links?.views() ?? [],
    async ping(machine, agent) {
      if (links !== undefined) return links.ping(machine, agent)
      const { self, why } = control.trust()
      if (self === null)
        throw new RelayError('NOT_LINKED', why ?? 'This machine is linked to no organization: agent-relay link')
      if (settings.port === null)
        throw new RelayError(
          'UNAVAILABLE',
          'AGENT_RELAY_PEER_PORT=off: this daemon asks no other machine; unset it and restart the daemon.',
        )
      if (control.trust().roster?.machines.has(machine) === true)
        throw new RelayError('NOT_CONNECTED', trouble ?? 'Direct links are just being started: try again in a moment.')
      throw new RelayError(
        'NOT_FOUND',
        why ?? `No machine ${machine} is in this organization: see agent-relay machines`,
      )
    },
    async netcheck() {
      return links?.netcheck() ?? nothing(whyOff(settings, control.trust(), trouble))
    },
    outward: (effect) => links?.outward(effect),
    restore: () => links?.restore(),
    woke: () => links?.woke(),
    async stop() {
      offTrust()
      offSignal()
      await close()
    },
  }
}

function hasOthers({ roster, self }: Trust): boolean {
  if (roster === null) return false
  for (const { id, publicKey } of roster.machines.values())
    if (id !== self?.machine && id !== roster.cloud && publicKey !== null) return true
  return false
}

function whyOff({ port }: PeerSettings, { why }: Trust, trouble: string | null): string {
  if (port === null) return 'turned off by AGENT_RELAY_PEER_PORT=off'
  return why ?? trouble ?? 'no other machine is in this organization yet'
}

const nothing = (why: string): NetFacts => ({
  isOn: false,
  why,
  port: null,
  candidates: [],
  observedAddress: null,
  mapping: { state: 'none', external: null, why: 'no router was asked' },
  punch: { isPossible: null, why: 'it was not tried' },
})
