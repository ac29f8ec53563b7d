/** Keys as they travel. A machine has one Ed25519 identity for good, and X25519 keys for sealing that it changes. */
import { z } from 'zod'
import { prefixed } from './prefixed.ts'

/** base64url of 32 bytes: a raw Ed25519 or X25519 public key. */
export const PublicKey = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'a public key is 32 bytes in base64url')
/** base64url of the 64 bytes of an Ed25519 signature. */
export const Signature = z.string().regex(/^[A-Za-z0-9_-]{86}$/, 'a signature is 64 bytes in base64url')

/** How many characters at the beginning of a seal key name it: 66 bits of a random value. */
export const SEAL_KEY_ID_LENGTH = 11
export const SealKeyId = z.string().regex(/^[A-Za-z0-9_-]{11}$/, 'a seal key is named by its first 11 characters')
export const sealKeyId = (key: string): string => key.slice(0, SEAL_KEY_ID_LENGTH)

/** An X25519 key to which a machine's messages are sealed, said by that machine: signed with its identity over sealKeyText. */
export const SealKey = z.object({ key: PublicKey, signature: Signature })
export type SealKey = z.infer<typeof SealKey>

/** The current key and the one before it, by which messages that waited can still be opened. */
export const SealKeys = z.array(SealKey).max(2)

/** What a machine's identity signs of its seal key. */
export const sealKeyText = (org: string, machine: string, key: string): string =>
  prefixed(['agent-relay/seal-key/v1', org, machine, key])
