/** A self-signed Ed25519 certificate as a daemon's listener shows one; X.509 of RFC 5280 in the fewest bytes. */
import { createPublicKey, type KeyObject, sign } from 'node:crypto'

const der = (tag: number, ...parts: Buffer[]): Buffer => {
  const body = Buffer.concat(parts)
  const length = body.length < 128 ? [body.length] : [0x82, body.length >> 8, body.length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...length]), body])
}
const sequence = (...parts: Buffer[]): Buffer => der(0x30, ...parts)
/** 1.3.101.112 */
const ed25519 = sequence(der(0x06, Buffer.from('2b6570', 'hex')))
const name = (text: string): Buffer =>
  sequence(der(0x31, sequence(der(0x06, Buffer.from('550403', 'hex')), der(0x0c, Buffer.from(text)))))

/** PEM. */
export function selfSigned(key: KeyObject): string {
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' })
  const validity = sequence(der(0x17, Buffer.from('200101000000Z')), der(0x17, Buffer.from('490101000000Z')))
  const version = der(0xa0, der(0x02, Buffer.from([2])))
  const serial = der(0x02, Buffer.from([1]))
  const body = sequence(version, serial, ed25519, name('a'), validity, name('a'), spki)
  const signature = der(0x03, Buffer.concat([Buffer.from([0]), sign(null, body, key)]))
  const text = sequence(body, ed25519, signature).toString('base64')
  return `-----BEGIN CERTIFICATE-----\n${text.replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`
}
