/**
 * seal.key: the X25519 keys to which this machine's messages are sealed, and when each was made. The private halves never
 * leave the home. A key is replaced every week, and its private half forgotten 30 days after that: what was sealed to it has
 * ended by then, or is sealed anew by its sender when it is asked for.
 */
import { createPublicKey } from 'node:crypto'
import { chmodSync, readFileSync } from 'node:fs'
import { DAY_MS, MAX_TTL_MS, MachineId, PublicKey, type SealKey, sealKeyText } from '@agent-relay/protocol'
import { newKeyPair, privateKeyOf } from '@agent-relay/protocol/crypto'
import { z } from 'zod'
import { RelayError } from '../errors.ts'
import { codeOf, unwritable, writePrivate } from './files.ts'
import type { Identity } from './identity.ts'
import type { HomePaths } from './paths.ts'

/** What whoever reads a disk later can open is bounded by this and MAX_TTL_MS; the roster has the last two keys. */
const ROTATE_MS = 7 * DAY_MS

const KeptKey = z.object({
  publicKey: PublicKey,
  privateKey: PublicKey,
  /** ms since 1970. */
  madeAt: z.number().nonnegative(),
})
/** One pair, and when it was made. */
export type KeptKey = z.infer<typeof KeptKey>
const SealFile = z.object({ v: z.literal(1), keys: z.array(KeptKey).min(1).max(100) })

/** The keys of this home, oldest first; undefined when none were made yet. Throws a RelayError when the file is broken. */
export function readSealKeys(paths: HomePaths): KeptKey[] | undefined {
  const text = readPrivate(paths.seal)
  if (text === undefined) return undefined
  const parsed = SealFile.safeParse(asJson(text))
  if (!parsed.success || !parsed.data.keys.every(isPair))
    throw new RelayError(
      'BAD_REQUEST',
      `${paths.seal} does not hold the keys to which messages are sealed: restore it from a backup, or move it away and run: agent-relay up (what was sealed to the lost keys is asked for again)`,
    )
  return parsed.data.keys
}

/** The private half is the public one's. */
function isPair(key: KeptKey): boolean {
  try {
    return createPublicKey(privateKeyOf('X25519', key)).export({ format: 'jwk' }).x === key.publicKey
  } catch {
    return false
  }
}

/**
 * The keys of this home as they are to be from `now` on, ms since 1970: made when there are none, replaced when the newest is a
 * week old, and without those whose time is over. Throws a RelayError for a broken file, and when it cannot be written.
 */
export function ensureSealKeys(paths: HomePaths, now: number): KeptKey[] {
  const known = readSealKeys(paths) ?? []
  const keys = rotated(known, now)
  if (keys !== known)
    writePrivate(paths.seal, `${JSON.stringify({ v: 1, keys } satisfies z.infer<typeof SealFile>, null, 2)}\n`)
  return keys
}

/** The same array when nothing is due. */
export function rotated(known: KeptKey[], now: number): KeptKey[] {
  const newest = known.at(-1)
  // One from a day in the future was made by a clock that was wrong, and would stay for as long as that was ahead.
  const isDue = newest === undefined || now - newest.madeAt >= ROTATE_MS || newest.madeAt - now > DAY_MS
  const keys = isDue ? [...known, { ...newKeyPair('X25519'), madeAt: now }] : known
  const kept = keys.filter((_, n) => {
    const next = keys[n + 1]
    return next === undefined || now - next.madeAt < MAX_TTL_MS
  })
  return kept.length === known.length && !isDue ? known : kept
}

/** What a roster says of a machine's keys: newest first, the current and the one before, each signed by its identity. */
export const sealKeysOf = (keys: readonly KeptKey[], identity: Identity, org: string, machine: string): SealKey[] =>
  keys
    .slice(-2)
    .reverse()
    .map(({ publicKey }) => ({ key: publicKey, signature: identity.sign(sealKeyText(org, machine, publicKey)) }))

const SealingFile = z.object({ v: z.literal(1), machines: z.array(MachineId) })

/** Ids of the machines that have ever shown a seal key here. Throws a RelayError when sealing.json is broken. */
export function readSealing(paths: HomePaths): Set<string> {
  const text = readPrivate(paths.sealing)
  if (text === undefined) return new Set()
  const parsed = SealingFile.safeParse(asJson(text))
  if (parsed.success) return new Set(parsed.data.machines)
  throw new RelayError(
    'BAD_REQUEST',
    `${paths.sealing} does not say which machines seal their messages: restore it from a backup, or move it away and run: agent-relay up`,
  )
}

/** Throws a RelayError when it cannot be written. */
export const writeSealing = (paths: HomePaths, machines: ReadonlySet<string>): void =>
  writePrivate(paths.sealing, `${JSON.stringify({ v: 1, machines: [...machines] })}\n`)

function readPrivate(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8')
    if (process.platform !== 'win32') chmodSync(path, 0o600)
    return text
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw unwritable(path, error)
  }
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
