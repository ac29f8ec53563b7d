/** Other programs that do the same work in the same run, in turn with ours. */
import type { Comparison } from './figures.ts'
import { openJetStream } from './jetstream.ts'
import type { Peer } from './peer.ts'
import { openRedis } from './redis.ts'

export type Peers = {
  all: readonly Peer[]
  close(): Promise<void>
}

/** Starts those whose server is on the PATH, and says which are not. None without `hasPeers`. */
export async function openPeers(hasPeers: boolean): Promise<Peers> {
  const all: Peer[] = []
  for (const open of hasPeers ? [openJetStream, openRedis] : []) {
    const peer = await open()
    if (peer) all.push(peer)
  }
  return {
    all,
    close: async () => void (await Promise.all(all.map((peer) => peer.close()))),
  }
}

/** What each peer measured, a value a repeat, as columns to compare a figure with. */
export class PeerValues {
  readonly #values = new Map<string, number[]>()

  add(peer: Peer, value: number): void {
    this.#values.set(peer.name, [...(this.#values.get(peer.name) ?? []), value])
  }

  /** `goal` is what is wanted against JetStream. */
  comparisons(goal?: string): Comparison[] {
    return [...this.#values].map(([name, values]) => ({
      baseline: { name, values },
      ...(goal !== undefined && name === 'JetStream' && { goal }),
    }))
  }
}
