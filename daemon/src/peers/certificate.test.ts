import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { expect, test } from 'vitest'
import { certifiedKey, createCertificate } from './certificate.ts'
import { newIdentity } from './testing.ts'

test('a certificate has the identity for its key, is signed by it, and is the same each time', async () => {
  const { pem, publicKey } = newIdentity()
  const { cert, key } = await createCertificate(pem)
  const read = new X509Certificate(cert)
  expect(certifiedKey(read)).toBe(publicKey)
  expect(key).toBe(pem)
  expect(read.verify(read.publicKey)).toBe(true)
  expect((await createCertificate(pem)).cert).toBe(cert)
})

test('a certificate says nothing of its machine but the key, and does not end', async () => {
  const { pem } = newIdentity()
  const read = new X509Certificate((await createCertificate(pem)).cert)
  expect([read.subject, read.issuer, read.subjectAltName]).toEqual(['CN=agent-relay', 'CN=agent-relay', undefined])
  expect([read.validFromDate.getTime(), read.validToDate.getUTCFullYear()]).toEqual([0, 9999])
})

test('an identity of another kind makes no certificate', async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
  await expect(createCertificate(pem)).rejects.toThrow('an identity of type ec, where Ed25519 belongs')
  await expect(createCertificate('no key')).rejects.toThrow()
})

test('without a certificate there is no key', () => {
  expect(certifiedKey(undefined)).toBeUndefined()
})
