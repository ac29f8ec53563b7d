/**
 * Bodies sealed from machine to machine. Both have X25519 keys; what only the two can agree on, and HKDF, give one
 * AES-256-GCM key for each direction and pair of keys, kept here, so that a message costs one symmetric cipher. The tag proves
 * the sender, because nobody else has the key, and covers every header field that no holder may change.
 */
import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  diffieHellman,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import { type Envelope, prefixed, type Sealed, sealKeyId } from '@agent-relay/protocol'
import { type KeyPair, privateKeyOf, publicKeyOf } from './keys.ts'

const NONCE_BYTES = 12
const TAG_BYTES = 16
/** Of one key: then the random half of the nonce is drawn anew. NIST SP 800-38D 8.2.1, with 64 random bits before the counter. */
const COUNTER_END = 0xffffffff
/** Pairs of keys in memory; the least lately made goes first. */
const MAX_PAIRS = 4_096

export type SealBox = {
  /** The body of `header` for the machine that it names. Throws for a recipient's key that is none. */
  seal(header: Header, body: string, recipientKey: string): Sealed
  /** The body; undefined when it is not for a key that is held here, or not from that sender, or was changed. */
  open(header: Header & { sealed: Sealed }, senderKeys: readonly string[]): string | undefined
  /** Seals with the last of these from now on, and opens with all. */
  setKeys(keys: readonly KeyPair[]): void
}

/** What the seal binds; an envelope with or without its body. */
export type Header = Omit<Envelope, 'body' | 'sealed' | 'ttlMs'>

type Pair = { key: KeyObject; prefix: Buffer; counter: number }

export function createSealBox(keys: readonly KeyPair[]): SealBox {
  let own: KeyPair[] = []
  const pairs = new Map<string, Pair>()

  function setKeys(next: readonly KeyPair[]): void {
    if (next.length === 0) throw new Error('a seal box without a key')
    own = [...next]
    pairs.clear()
  }
  setKeys(keys)

  function pairOf(mine: KeyPair, theirs: string, way: 'out' | 'in', { org, from, to }: Header): Pair {
    const name = `${way} ${mine.publicKey} ${theirs} ${from.machine} ${to.machine}`
    const known = pairs.get(name)
    if (known !== undefined) return known
    const secret = diffieHellman({
      privateKey: privateKeyOf('X25519', mine),
      publicKey: publicKeyOf('X25519', theirs),
    })
    const [by, target] = way === 'out' ? [mine.publicKey, theirs] : [theirs, mine.publicKey]
    const info = prefixed(['agent-relay/seal/v1', org, from.machine, by, to.machine, target])
    const key = createSecretKey(Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), info, 32)))
    const pair = { key, prefix: randomBytes(NONCE_BYTES - 4), counter: 0 }
    if (pairs.size >= MAX_PAIRS) pairs.delete(pairs.keys().next().value as string)
    pairs.set(name, pair)
    return pair
  }

  function nextNonce(pair: Pair): Buffer {
    if (pair.counter === COUNTER_END) {
      pair.prefix = randomBytes(NONCE_BYTES - 4)
      pair.counter = 0
    }
    const nonce = Buffer.allocUnsafe(NONCE_BYTES)
    pair.prefix.copy(nonce)
    nonce.writeUInt32BE(pair.counter++, NONCE_BYTES - 4)
    return nonce
  }

  return {
    setKeys,
    seal(header, body, recipientKey) {
      const mine = own[own.length - 1] as KeyPair
      const pair = pairOf(mine, recipientKey, 'out', header)
      const nonce = nextNonce(pair)
      const ids = { by: sealKeyId(mine.publicKey), to: sealKeyId(recipientKey) }
      const cipher = createCipheriv('aes-256-gcm', pair.key, nonce)
      cipher.setAAD(Buffer.from(boundText(header, ids)))
      const sealed = cipher.update(encode(body))
      cipher.final()
      return { ...ids, data: Buffer.concat([nonce, sealed, cipher.getAuthTag()]).toString('base64url') }
    },
    open(header, senderKeys) {
      const { sealed } = header
      const mine = own.find(({ publicKey }) => sealKeyId(publicKey) === sealed.to)
      const theirs = senderKeys.find((key) => sealKeyId(key) === sealed.by)
      const data = Buffer.from(sealed.data, 'base64url')
      if (mine === undefined || theirs === undefined || data.length < NONCE_BYTES + 1 + TAG_BYTES) return undefined
      try {
        const { key } = pairOf(mine, theirs, 'in', header)
        const decipher = createDecipheriv('aes-256-gcm', key, data.subarray(0, NONCE_BYTES))
        decipher.setAAD(Buffer.from(boundText(header, sealed)))
        decipher.setAuthTag(data.subarray(data.length - TAG_BYTES))
        const plain = decipher.update(data.subarray(NONCE_BYTES, data.length - TAG_BYTES))
        decipher.final()
        return decode(plain)
      } catch {
        return undefined
      }
    },
  }
}

/** Every field that is the same from sender to recipient. An absent one is told from an empty one. */
function boundText(e: Header, { by, to }: Pick<Sealed, 'by' | 'to'>): string {
  return prefixed([
    ...['agent-relay/envelope/v1', by, to, e.id, e.org],
    ...[e.from.machine, e.from.agent, String(e.from.epoch), optional(e.from.user)],
    ...[e.to.machine, e.to.agent, optional(e.to.project), optional(e.to.via), optional(e.to.channel)],
    ...[optional(e.to.user), optional(e.thread), optional(e.replyTo)],
    ...[e.stream, e.outboxEpoch, String(e.seq), String(e.priority), String(e.ts), e.trace, e.isVoid ? 'void' : ''],
  ])
}

const optional = (value: string | undefined): string => (value === undefined ? '' : `=${value}`)

/** JavaScript's texts may hold halves of characters, which UTF-8 cannot say: those go as UTF-16. */
function encode(body: string): Buffer {
  const isWell = body.isWellFormed()
  return Buffer.concat([Buffer.of(isWell ? 0 : 1), Buffer.from(body, isWell ? 'utf8' : 'utf16le')])
}

const decode = (plain: Buffer): string => plain.subarray(1).toString(plain[0] === 1 ? 'utf16le' : 'utf8')
