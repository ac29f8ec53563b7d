/** What the organization's control key signs, and how a machine reads it. */
import type { KeyObject } from 'node:crypto'
import type { SealKey, Signed, SignedKind } from '@agent-relay/protocol'
import { sealKeyText, signedText } from '@agent-relay/protocol'
import { isSigned, signText } from './keys.ts'

/** Signs the value's JSON, once; the text travels as it is. */
export function signValue(key: KeyObject, kind: SignedKind, org: string, value: unknown): Signed {
  const text = JSON.stringify(value)
  return { text, signature: signText(key, signedText(kind, org, text)) }
}

/** The signed value, of any shape; undefined when the signature is not this key's for this kind and organization. */
export function readSigned(publicKey: string, kind: SignedKind, org: string, signed: Signed): unknown {
  if (!isSigned(publicKey, signedText(kind, org, signed.text), signed.signature)) return undefined
  try {
    return JSON.parse(signed.text)
  } catch {
    return undefined
  }
}

/** Whether this machine's own identity says that messages for it are sealed to this key. */
export const isOwnSealKey = (identity: string, org: string, machine: string, { key, signature }: SealKey): boolean =>
  isSigned(identity, sealKeyText(org, machine, key), signature)
