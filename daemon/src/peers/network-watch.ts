/** Notices that this machine is in another network, by asking for its interfaces now and then: no system tells of it everywhere. */
import { networkInterfaces } from 'node:os'
import type { Interfaces } from './candidates.ts'

/** A person who changed the network waits no longer than this; asking costs a fraction of a millisecond. */
const POLL_MS = 5_000

export type NetworkWatch = { interfaces(): Interfaces; stop(): void }

/** `changed` is called when addresses came or went. */
export function watchNetwork(changed: () => void, read: () => Interfaces = networkInterfaces): NetworkWatch {
  let latest = read()
  let known = hashOf(latest)
  const timer = setInterval(() => {
    try {
      latest = read()
    } catch {
      // Some systems refuse it while they change; the next look tells.
      return
    }
    const now = hashOf(latest)
    if (now === known) return
    known = now
    changed()
  }, POLL_MS).unref()
  return { interfaces: () => latest, stop: () => clearInterval(timer) }
}

/** Names and addresses. Temporary IPv6 addresses come and go by the day, and then it is right to tell the others. */
const hashOf = (interfaces: Interfaces): string =>
  Object.entries(interfaces)
    .flatMap(([name, infos]) => (infos ?? []).map(({ address }) => `${name} ${address}`))
    .sort()
    .join('\n')
