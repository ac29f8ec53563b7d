/** Which of the keys that a roster has of a machine are the machine's own: each signature is verified once. */
import type { RosterMachine } from '@agent-relay/protocol'
import { isOwnSealKey } from '@agent-relay/protocol/crypto'

/** Signatures whose truth is remembered: two for each machine that there is, and some that went. */
const REMEMBERED = 10_000

/** Newest first; empty for a machine without keys, without an identity, or that is not there. */
export type PeerKeys = (org: string, machine: RosterMachine | undefined) => readonly string[]

export function createPeerKeys(): PeerKeys {
  const verdicts = new Map<string, boolean>()
  /** Of the very object: a roster's change brings another one. */
  const known = new WeakMap<RosterMachine, readonly string[]>()

  function holds(org: string, identity: string, machine: RosterMachine['id'], seal: Seal): boolean {
    const name = `${org} ${machine} ${identity} ${seal.key} ${seal.signature}`
    const verdict = verdicts.get(name) ?? isOwnSealKey(identity, org, machine, seal)
    if (verdicts.size >= REMEMBERED) verdicts.delete(verdicts.keys().next().value as string)
    verdicts.set(name, verdict)
    return verdict
  }

  return (org, machine) => {
    if (machine === undefined) return NONE
    let keys = known.get(machine)
    if (keys === undefined) {
      const { id, publicKey, seals = [] } = machine
      keys = publicKey === null ? NONE : seals.filter((seal) => holds(org, publicKey, id, seal)).map(({ key }) => key)
      known.set(machine, keys)
    }
    return keys
  }
}

type Seal = NonNullable<RosterMachine['seals']>[number]
const NONE: readonly string[] = []
