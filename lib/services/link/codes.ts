/** The two codes of RFC 8628: the long one that the machine polls with, and the short one that a person types. */
import { createHash, randomBytes, randomInt } from 'node:crypto'

/** Consonants without look-alikes: no vowels, so no words; RFC 8628 §6.1 recommends this set. 20^8 = 2.6·10^10 codes. */
const letters = 'BCDFGHJKLMNPQRSTVWXZ'

export const codeLifetimeMs = 10 * 60_000
export const pollIntervalS = 5

export const makeDeviceCode = (): string => randomBytes(32).toString('base64url')

/** Eight letters, shown as XXXX-XXXX. */
export function makeUserCode(): string {
  const text = Array.from({ length: 8 }, () => letters[randomInt(letters.length)]).join('')
  return showUserCode(text)
}

/** What a person typed, without its case, blanks and dashes; undefined when it cannot be a code. */
export function readUserCode(typed: string): string | undefined {
  const text = typed.toUpperCase().replace(/[^A-Z0-9]/g, '')
  return new RegExp(`^[${letters}]{8}$`).test(text) ? showUserCode(text) : undefined
}

export const hashCode = (code: string): string => createHash('sha256').update(code).digest('hex')

const showUserCode = (text: string): string => `${text.slice(0, 4)}-${text.slice(4)}`
