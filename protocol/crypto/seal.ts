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
  randomFillSync,
} from 'node:crypto'
import { type Envelope, prefixed, SEAL_KEY_ID_LENGTH, type Sealed, sealKeyId } from '@agent-relay/protocol'
import { type KeyPair, privateKeyOf, publicKeyOf } from './keys.ts'

const CIPHER = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16
/** Of one key: then the random half of the nonce is drawn anew. NIST SP 800-38D 8.2.1, with 64 random bits before the counter. */
const COUNTER_END = 0xffffffff
/** Keys of others whose agreements are in memory; the one first met goes first. */
const MAX_OTHERS = 4_096
/** Of one of them: both directions with each own key, and more only for headers that nobody honest makes. */
const MAX_WAYS = 32

export type SealBox = {
  /** The body of `header` for the machine that it names. Throws for a recipient's key that is none. */
  seal(header: Header, body: string, recipientKey: string): Sealed
  /** The body; undefined when it is not for a key that is held here, or not from that sender, or was changed. */
  open(header: Header & { sealed: Sealed }, senderKeys: readonly string[]): string | undefined
  /** The same for a text that is no message's body. What one subject sealed does not open as another. */
  sealText(way: Way, subject: Subject, text: string, recipientKey: string): Sealed
  openText(way: Way, subject: Subject, sealed: Sealed, senderKeys: readonly string[]): string | undefined
  /** Seals with the last of these from now on, and opens with all. */
  setKeys(keys: readonly KeyPair[]): void
}

/** What the seal binds; an envelope with or without its body. */
export type Header = Omit<Envelope, 'body' | 'sealed' | 'ttlMs'>
/** From which machine to which. */
export type Way = { org: string; from: string; to: string }
/** What a text is, and of what. */
export type Subject = readonly ['signal'] | readonly ['archive', messageId: string]
/** As whom the organization's archive is sealed to; no machine's id. */
export const ARCHIVE = 'archive'

type Own = { keys: KeyPair; id: string; privateKey: KeyObject }
type Pair = Way & { mine: Own; theirId: string; isOut: boolean; key: KeyObject; nonce: Buffer; counter: number }

export function createSealBox(keys: readonly KeyPair[]): SealBox {
  let own: Own[] = []
  /** By the other's key. */
  const pairs = new Map<string, Pair[]>()

  function setKeys(next: readonly KeyPair[]): void {
    if (next.length === 0) throw new Error('a seal box without a key')
    own = next.map((keys) => ({ keys, id: sealKeyId(keys.publicKey), privateKey: privateKeyOf('X25519', keys) }))
    pairs.clear()
  }
  setKeys(keys)

  function pairOf(mine: Own, theirs: string, isOut: boolean, { org, from, to }: Way): Pair {
    const known = pairs.get(theirs)
    if (known !== undefined)
      for (const pair of known)
        if (pair.isOut === isOut && pair.mine === mine && pair.to === to && pair.from === from && pair.org === org)
          return pair
    const secret = diffieHellman({ privateKey: mine.privateKey, publicKey: publicKeyOf('X25519', theirs) })
    const [by, target] = isOut ? [mine.keys.publicKey, theirs] : [theirs, mine.keys.publicKey]
    const info = prefixed(['agent-relay/seal/v1', org, from, by, to, target])
    const key = createSecretKey(Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), info, 32)))
    const nonce = randomFillSync(Buffer.alloc(NONCE_BYTES))
    const pair = { org, from, to, mine, theirId: sealKeyId(theirs), isOut, key, nonce, counter: 0 }
    if (known === undefined) {
      if (pairs.size >= MAX_OTHERS) pairs.delete(pairs.keys().next().value as string)
      pairs.set(theirs, [pair])
    } else {
      if (known.length >= MAX_WAYS) known.shift()
      known.push(pair)
    }
    return pair
  }

  /** `bind` is told the names of both keys, and gives what is authenticated beside the text. */
  function sealAny(way: Way, theirs: string, text: string, bind: Bind): Sealed {
    const pair = pairOf(own[own.length - 1] as Own, theirs, true, way)
    const nonce = nextNonce(pair)
    const sealed = { by: pair.mine.id, to: pair.theirId, data: '' }
    const cipher = createCipheriv(CIPHER, pair.key, nonce)
    cipher.setAAD(textBytes(bind(sealed)))
    const body = cipher.update(encode(text))
    cipher.final()
    const data = Buffer.allocUnsafe(NONCE_BYTES + body.length + TAG_BYTES)
    data.set(nonce)
    data.set(body, NONCE_BYTES)
    data.set(cipher.getAuthTag(), NONCE_BYTES + body.length)
    sealed.data = data.toString('base64url')
    return sealed
  }

  function openAny(way: Way, sealed: Sealed, senderKeys: readonly string[], bind: Bind): string | undefined {
    const mine = own.find(({ id }) => id === sealed.to)
    const theirs = sealed.by.length === SEAL_KEY_ID_LENGTH && senderKeys.find((key) => key.startsWith(sealed.by))
    const data = Buffer.from(sealed.data, 'base64url')
    const end = data.length - TAG_BYTES
    if (mine === undefined || !theirs || end <= NONCE_BYTES) return undefined
    try {
      const { key } = pairOf(mine, theirs, false, way)
      const decipher = createDecipheriv(CIPHER, key, data.subarray(0, NONCE_BYTES), FULL_TAG)
      decipher.setAAD(textBytes(bind(sealed)))
      decipher.setAuthTag(data.subarray(end))
      const text = decipher.update(data.subarray(NONCE_BYTES, end))
      decipher.final()
      return decode(text)
    } catch {
      return undefined
    }
  }

  return {
    setKeys,
    seal: (header, body, recipientKey) =>
      sealAny(wayOf(header), recipientKey, body, (ids) => boundHeader(header, ids.by, ids.to)),
    open: (header, senderKeys) =>
      openAny(wayOf(header), header.sealed, senderKeys, (ids) => boundHeader(header, ids.by, ids.to)),
    sealText: (way, subject, text, recipientKey) =>
      sealAny(way, recipientKey, text, (ids) => boundSubject(subject, ids)),
    openText: (way, subject, sealed, senderKeys) =>
      openAny(way, sealed, senderKeys, (ids) => boundSubject(subject, ids)),
  }
}

type Bind = (ids: Pick<Sealed, 'by' | 'to'>) => string
/** Node takes shorter tags otherwise. */
const FULL_TAG = { authTagLength: TAG_BYTES }

function nextNonce(pair: Pair): Buffer {
  if (pair.counter === COUNTER_END) {
    randomFillSync(pair.nonce)
    pair.counter = 0
  }
  pair.nonce.writeUInt32BE(pair.counter++, NONCE_BYTES - 4)
  return pair.nonce
}

const wayOf = ({ org, from, to }: Header): Way => ({ org, from: from.machine, to: to.machine })

/**
 * Every field that is the same from sender to recipient, as `prefixed` writes them but in one go, because every message pays
 * for it. An absent field is told from an empty one.
 */
function boundHeader(e: Header, by: string, to: string): string {
  return (
    `23:agent-relay/envelope/v1${at(by)}${at(to)}${at(e.id)}${at(e.org)}` +
    `${at(e.from.machine)}${at(e.from.agent)}${at(`${e.from.epoch}`)}${maybe(e.from.user)}` +
    `${at(e.to.machine)}${at(e.to.agent)}${maybe(e.to.project)}${maybe(e.to.via)}${maybe(e.to.channel)}` +
    `${maybe(e.to.user)}${maybe(e.thread)}${maybe(e.replyTo)}${at(e.stream)}${at(e.outboxEpoch)}` +
    `${at(`${e.seq}`)}${at(`${e.priority}`)}${at(`${e.ts}`)}${at(e.trace)}${e.isVoid ? '4:void' : '0:'}`
  )
}

const at = (text: string): string => `${text.length}:${text}`
const maybe = (text: string | undefined): string => (text === undefined ? '0:' : `${text.length + 1}:=${text}`)

const boundSubject = ([kind, ...about]: Subject, { by, to }: Pick<Sealed, 'by' | 'to'>): string =>
  prefixed([`agent-relay/${kind}/v1`, by, to, ...about])

/** JavaScript's texts may hold halves of characters, which UTF-8 cannot say: those go as UTF-16. */
const textBytes = (text: string): Buffer => Buffer.from(text, text.isWellFormed() ? 'utf8' : 'utf16le')

/** With a byte before it that says which of the two. */
function encode(text: string): Buffer {
  const encoding = text.isWellFormed() ? 'utf8' : 'utf16le'
  const bytes = Buffer.allocUnsafe(1 + Buffer.byteLength(text, encoding))
  bytes[0] = encoding === 'utf8' ? 0 : 1
  bytes.write(text, 1, encoding)
  return bytes
}

const decode = (bytes: Buffer): string => bytes.toString(bytes[0] === 1 ? 'utf16le' : 'utf8', 1)
