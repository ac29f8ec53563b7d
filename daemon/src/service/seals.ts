/**
 * Bodies and signals sealed for other machines and opened from them, with this machine's own keys and those that the roster has
 * of the others. A machine that has once shown a key is never written to in the clear again, and nothing unsealed is taken from
 * it: a roster that leaves its key out stops its messages, and cannot lay them open.
 */

import type { SealKey } from '@agent-relay/protocol'
import {
  type Envelope,
  MAX_BODY_BYTES,
  MAX_SEALED_LENGTH,
  PeerSignal,
  type Sealed,
  utf8Length,
} from '@agent-relay/protocol'
import { ARCHIVE, createSealBox, type SealBox } from '@agent-relay/protocol/crypto'
import type { RosterIndex } from '../core/roster.ts'
import type { HomePaths } from '../home/paths.ts'
import {
  ensureSealKeys,
  type KeptKey,
  readSealing,
  readSealKeys,
  rotated,
  sealKeysOf,
  writeSealing,
} from '../home/seal-keys.ts'
import type { Log } from '../log.ts'
import { createPeerKeys } from './peer-keys.ts'
import type { Self, Trust } from './trust.ts'

/** How late a key is replaced at most, and how often the control plane is told again of one that it does not have. */
const LOOK_MS = 3_600_000

export type Sealer = {
  /** The envelope as it may leave: sealed, or in the clear to a machine that never had a key. Undefined: not now. */
  seal(envelope: Envelope): Envelope | undefined
  /** The envelope with its body; undefined when it is not what its machine sealed for this one. */
  open(envelope: Envelope): Envelope | undefined
  /** Undefined: that machine has no key that its identity signed. */
  sealSignal(to: string, signal: PeerSignal): Sealed | undefined
  /**
   * Undefined: not sealed by `from` for this machine, changed, or no signal. `id` must be the signal's own where there is one. A
   * holder can repeat a signal: it is judged by its id and boot id.
   */
  openSignal(from: string, sealed: Sealed, id?: string): PeerSignal | undefined
  /** Of the organization's archive: null while that is off, undefined while nobody knows. */
  archiveKey(): string | null | undefined
  /** `body` for the organization's archive; undefined while that is off. */
  sealArchive(id: string, body: string): Sealed | undefined
  /** Newest first, at most two, signed by the identity; none while linked to nothing. */
  keys(): SealKey[]
  /** Null while linked to nothing. */
  view(): SealingView | null
  /** Whom this machine believes in may have changed. */
  trusted(): void
  stop(): void
}

/** What `status` says of it. */
export type SealingView = {
  /** `archived`: each body goes to the organization's archive, too. */
  mode: 'sealed' | 'archived'
  /** Names of other machines without a key: what goes to them the control plane can read. */
  unsealedPeers: string[]
  /** For the health check, each with what to do. */
  problems: string[]
}

type Options = {
  paths: HomePaths
  log: Log
  trust: () => Trust
  /** The core's roster: who is there while nobody is believed. */
  known: () => RosterIndex | null
  putSeals: (seals: SealKey[]) => Promise<void>
  /** ms since 1970. */
  now?: () => number
  /** Nothing is sealed, and what is not sealed is taken: to measure what sealing costs. */
  isOff?: boolean
}

/** Throws a RelayError when a file of it is broken. */
export function createSealer({ paths, log, trust, known, putSeals, now = Date.now, isOff = false }: Options): Sealer {
  let own: KeptKey[] = readSealKeys(paths) ?? []
  const sealing = readSealing(paths)
  const peerKeys = createPeerKeys()
  let box: SealBox | undefined
  /** Public halves in the order in which the box has them. */
  let arranged = ''
  /** As they were when they last changed; asked for only then, for the link to the control plane is made after this. */
  let { self, roster }: Pick<Trust, 'self' | 'roster'> = { self: null, roster: null }
  /** By machine, why something of it could not be opened or sent. */
  const troubles = new Map<string, string>()
  let isUnwritten = false
  const look = setInterval(renew, LOOK_MS).unref()
  if (isOff) log.warn('bodies are NOT sealed: this is a benchmark')

  /** A full disk keeps no key from being made: it then lasts as long as this run, and is written when there is room. */
  function ensure(): void {
    try {
      own = ensureSealKeys(paths, now())
      isUnwritten = false
    } catch (error) {
      own = rotated(own, now())
      if (!isUnwritten) log.warn('the keys to which messages are sealed could not be written down', { error })
      isUnwritten = true
    }
    arrange()
  }

  /** Seals with the newest key that the roster has of this machine, for that one the others know. */
  function arrange(): void {
    const known = self && roster?.machines.get(self.machine)?.seals
    const current = known?.flatMap(({ key }) => own.find(({ publicKey }) => publicKey === key) ?? [])[0] ?? own.at(-1)
    if (current === undefined) return
    const keys = [...own.filter((key) => key !== current), current]
    const names = keys.map(({ publicKey }) => publicKey).join(' ')
    if (names === arranged) return
    arranged = names
    if (box === undefined) box = createSealBox(keys)
    else box.setKeys(keys)
  }

  function renew(): void {
    if (self === null) return
    ensure()
    const { isOnline } = trust()
    const isKnown = roster?.machines.get(self.machine)?.seals?.[0]?.key === own.at(-1)?.publicKey
    if (!isOnline || isKnown) return
    putSeals(said(self)).catch((error: unknown) =>
      log.warn('the control plane was not told of a new seal key; it is told again', { reason: String(error) }),
    )
  }

  const said = ({ identity, org, machine }: Self): SealKey[] => sealKeysOf(own, identity, org, machine)

  function learn({ machines }: RosterIndex): void {
    const fresh = [...machines.values()].filter(({ id, seals }) => (seals?.length ?? 0) > 0 && !sealing.has(id))
    if (fresh.length === 0) return
    for (const { id } of fresh) sealing.add(id)
    try {
      writeSealing(paths, sealing)
    } catch (error) {
      log.warn('which machines seal their messages could not be written down', { error })
    }
  }

  const nameOf = (machine: string): string => roster?.machines.get(machine)?.name ?? machine
  const keysOf = (machine: string): readonly string[] =>
    self === null ? [] : peerKeys(self.org, roster?.machines.get(machine))

  function note(machine: string, why: string): undefined {
    if (troubles.get(machine) === why) return undefined
    troubles.set(machine, why)
    log.warn(`${nameOf(machine)}: ${why}`)
  }

  function readText(from: string, sealed: Sealed, id: string | undefined): PeerSignal | undefined {
    if (self === null || box === undefined) return undefined
    const text = box.openText({ org: self.org, from, to: self.machine }, ['signal'], sealed, keysOf(from))
    if (text === undefined) return undefined
    const signal = PeerSignal.safeParse(asJson(text))
    return signal.success && (id === undefined || signal.data.id === id) ? signal.data : undefined
  }

  return {
    seal(envelope) {
      const { machine } = envelope.to
      const [key] = isOff ? [] : keysOf(machine)
      if (key === undefined && (isOff || !sealing.has(machine))) return envelope
      if (key === undefined || box === undefined) return note(machine, LOST_KEY)
      try {
        const sealed = box.seal(envelope, envelope.body, key)
        if (troubles.get(machine) === LOST_KEY) troubles.delete(machine)
        return { ...envelope, body: '', sealed }
      } catch {
        return note(machine, LOST_KEY)
      }
    },
    open(envelope) {
      const { sealed, ...rest } = envelope
      const { machine } = envelope.from
      if (sealed === undefined) return isOff || !sealing.has(machine) ? envelope : note(machine, UNSEALED)
      if (sealed.data.length > MAX_SEALED_LENGTH) return note(machine, TOO_LARGE)
      const keys = keysOf(machine)
      const body = box?.open({ ...rest, sealed }, keys)
      if (body === undefined) return note(machine, keys.length === 0 ? UNKNOWN_KEY : UNOPENED)
      if (body.length > MAX_BODY_BYTES / 3 && utf8Length(body) > MAX_BODY_BYTES) return note(machine, TOO_LARGE)
      if (troubles.size > 0 && troubles.get(machine) !== LOST_KEY) troubles.delete(machine)
      rest.body = body
      return rest
    },
    sealSignal(to, signal) {
      const [key] = keysOf(to)
      if (self === null || key === undefined || box === undefined) return undefined
      try {
        return box.sealText({ org: self.org, from: self.machine, to }, ['signal'], JSON.stringify(signal), key)
      } catch {
        return undefined
      }
    },
    openSignal: readText,
    archiveKey: () => roster?.archive,
    sealArchive(id, body) {
      const archive = roster?.archive
      if (self === null || box === undefined || !archive) return undefined
      try {
        return box.sealText({ org: self.org, from: self.machine, to: ARCHIVE }, ['archive', id], body, archive)
      } catch {
        // No key of the curve: nothing can be sealed to it.
        return undefined
      }
    },
    keys() {
      if (self === null) return []
      ensure()
      return said(self)
    },
    view() {
      if (self === null) return null
      const others = [...((roster ?? known())?.machines.values() ?? [])].filter(({ id }) => id !== self?.machine)
      const isBare = (id: string): boolean => keysOf(id).length === 0
      return {
        mode: roster?.archive ? 'archived' : 'sealed',
        unsealedPeers: others.filter(({ id }) => isBare(id) && !sealing.has(id)).map(({ name }) => name),
        problems: [
          ...others.filter(({ id }) => isBare(id) && sealing.has(id)).map(({ name }) => `${name}: ${LOST_KEY}`),
          ...[...troubles].flatMap(([id, why]) => (why === LOST_KEY ? [] : `${nameOf(id)}: ${why}`)),
        ],
      }
    },
    trusted() {
      ;({ self, roster } = trust())
      if (roster !== null) learn(roster)
      if (self !== null && own.length === 0) ensure()
      else arrange()
    },
    stop: () => clearInterval(look),
  }
}

const LOST_KEY =
  'it has sealed its messages before, and the roster has no key of it that holds. Messages to it wait here. Update agent-relay there and run: agent-relay up'
const UNSEALED =
  'a message came that is not sealed, though this machine seals. It was not taken, and is asked for again. If this stays so, update agent-relay there'
const UNKNOWN_KEY = 'a sealed message came, and the roster has no key of its machine. It is asked for again'
const UNOPENED =
  'a sealed message could not be opened: it was changed on its way, or sealed to a key that is gone. It is asked for again'
const TOO_LARGE = `a message came that is longer than any may be (${MAX_BODY_BYTES} bytes). It was not taken`

function asJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
