/** Notices that this machine is in another network, by asking for its interfaces now and then: no system tells of it everywhere. */
import { networkInterfaces } from 'node:os'
import type { Interfaces } from './candidates.ts'

/** A person who changed the network waits no longer than this; asking costs a fraction of a millisecond. */
const POLL_MS = 2_000

export type NetworkWatch = {
  interfaces(): Interfaces
  /** Called when addresses came or went. The answer ends it. */
  onChange(listener: () => void): () => void
  stop(): void
}

export function watchNetwork(read: () => Interfaces = networkInterfaces): NetworkWatch {
  const listeners = new Set<() => void>()
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
    for (const listener of listeners) listener()
  }, POLL_MS).unref()
  return {
    interfaces: () => latest,
    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    stop: () => clearInterval(timer),
  }
}

/** Names and addresses. Temporary IPv6 addresses come and go by the day, and then it is right to tell the others. */
const hashOf = (interfaces: Interfaces): string =>
  Object.entries(interfaces)
    .flatMap(([name, infos]) => (infos ?? []).map(({ address }) => `${name} ${address}`))
    .sort()
    .join('\n')
