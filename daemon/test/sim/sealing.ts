/** Seal keys of machines that replace them and lose them, and rosters that hear of new ones late. The cryptography is the shipped one. */
import type { Envelope } from '@agent-relay/protocol'
import { createSealBox, type KeyPair, newKeyPair } from '@agent-relay/protocol/crypto'
import type { Sealer } from '../../src/service/seals.ts'

/** From a new key to the last roster that has it. */
const LATE_MS = 400

export type Sealing = {
  /** The next run of a machine's daemon. It goes on with its keys, replaces the newest, or has lost them all, in turn. */
  run(machine: string): Pick<Sealer, 'seal' | 'open'>
}

type Said = { key: string; at: number }

export function createSealing(now: () => number): Sealing {
  const kept = new Map<string, { pairs: KeyPair[]; runs: number }>()
  const said = new Map<string, Said[]>()

  /** As rosters have them, newest first. */
  function keysOf(machine: string): string[] {
    const known = (said.get(machine) ?? []).filter(({ at }, n) => n === 0 || at + LATE_MS <= now())
    return known
      .slice(-2)
      .reverse()
      .map(({ key }) => key)
  }

  function keysOfRun(machine: string): KeyPair[] {
    const own = kept.get(machine) ?? { pairs: [], runs: 0 }
    kept.set(machine, own)
    const turn = own.runs++ % 3
    if (own.pairs.length > 0 && turn === 0) return own.pairs
    const pair = newKeyPair('X25519')
    own.pairs = turn === 2 ? [pair] : [...own.pairs, pair]
    said.set(machine, [...(said.get(machine) ?? []), { key: pair.publicKey, at: now() }])
    return own.pairs
  }

  return {
    run(machine) {
      const pairs = keysOfRun(machine)
      const box = createSealBox(pairs)
      let current = pairs.at(-1)?.publicKey
      /** Seals with the newest key that rosters have of this machine, if it has it still. */
      function arrange(): void {
        const known = keysOf(machine).find((key) => pairs.some(({ publicKey }) => publicKey === key))
        if (known === undefined || known === current) return
        current = known
        box.setKeys([...pairs].sort((a, b) => Number(a.publicKey === known) - Number(b.publicKey === known)))
      }
      return {
        seal(envelope) {
          const [key] = keysOf(envelope.to.machine)
          if (key === undefined) return undefined
          arrange()
          return { ...envelope, body: '', sealed: box.seal(envelope, envelope.body, key) }
        },
        open({ sealed, ...envelope }): Envelope | undefined {
          if (sealed === undefined) return undefined
          const body = box.open({ ...envelope, sealed }, keysOf(envelope.from.machine))
          return body === undefined ? undefined : { ...envelope, body }
        },
      }
    },
  }
}
