/**
 * API keys of machines: `ar_live_`, 8 characters that lists show, 43 secret ones (256 bits), 6 of checksum.
 * Only the SHA-256 is stored: with 256 random bits in the key, a slow hash would add nothing.
 */
import { createHash, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { MACHINE_KEY_PREFIX } from '@agent-relay/protocol'
import { DomainError } from '#lib/errors.ts'
import type { Db, MachineActor } from '#lib/services/context.ts'

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const shownLength = 8
const secretLength = 43
const checksumLength = 6
const shape = new RegExp(`^${MACHINE_KEY_PREFIX}[0-9A-Za-z]{${shownLength + secretLength + checksumLength}}$`)

/** A new key with what the database keeps of it. */
export function makeMachineKey(): { key: string; hash: string; prefix: string } {
  const body = MACHINE_KEY_PREFIX + randomText(shownLength + secretLength)
  const key = body + checksum(body)
  return { key, hash: hashMachineKey(key), prefix: key.slice(0, MACHINE_KEY_PREFIX.length + shownLength) }
}

export const hashMachineKey = (key: string): string => createHash('sha256').update(key).digest('hex')

/** Whether this text was made as a key, so that a slip of the finger is told from a revoked key without asking the database. */
export const isMachineKey = (text: string): boolean =>
  shape.test(text) && checksum(text.slice(0, -checksumLength)) === text.slice(-checksumLength)

/**
 * The machine that holds this key.
 * @throws DomainError KEY_INVALID for a text that was never a key, KEY_REVOKED for one that is dead or unknown.
 */
export async function machineOfKey(db: Db, key: string): Promise<MachineActor & { publicKey: string | null }> {
  if (!isMachineKey(key))
    throw new DomainError(
      'KEY_INVALID',
      'This is not a machine key: a character is missing or mistyped. Copy it whole, or run: agent-relay link',
    )
  const machine = await db.machine.findUnique({
    where: { apiKeyHash: hashMachineKey(key) },
    select: {
      ...{ id: true, orgId: true, userId: true, name: true, publicKey: true, revokedAt: true },
      org: { select: { deletedAt: true } },
      user: { select: { memberships: { select: { orgId: true } } } },
    },
  })
  // A machine speaks for the person who linked it: when they have left the organization, so has it.
  const isMember = machine?.user.memberships.some(({ orgId }) => orgId === machine.orgId)
  if (!machine || machine.revokedAt || machine.org.deletedAt || !isMember)
    throw new DomainError(
      'KEY_REVOKED',
      `The machine key ${key.slice(0, MACHINE_KEY_PREFIX.length + shownLength)}… was revoked or replaced. Link this machine again: agent-relay link`,
    )
  const { id, orgId, userId, name, publicKey } = machine
  return { kind: 'machine', machineId: id, orgId, userId, label: name, publicKey }
}

function checksum(body: string): string {
  let rest = crc32(body)
  let text = ''
  for (let i = 0; i < checksumLength; i++) {
    text = alphabet[rest % 62] + text
    rest = Math.floor(rest / 62)
  }
  return text
}

/** Unbiased: bytes from 248 on are drawn again, because 248 is the greatest multiple of 62 in a byte. */
function randomText(length: number): string {
  let text = ''
  while (text.length < length)
    for (const byte of randomBytes(length)) if (byte < 248 && text.length < length) text += alphabet[byte % 62]
  return text
}
