import { expect, test } from 'vitest'
import { isSigned, signText } from '../crypto/index.ts'
import { golden, goldenKey } from '../fixtures/index.ts'
import { httpProofText, readHttpProof, writeHttpProof } from './http-proof.ts'

const asked = {
  ...{ machineId: 'm1', method: 'GET', path: '/api/messages/pending?limit=5' },
  bodyHash: '47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU',
  ...{ at: 1_767_225_600_000, nonce: 'AAECAwQFBgcICQoLDA0ODw' },
}

test('the text that is signed, and its signature by the golden key, stay what programs of others make of them', () => {
  expect(httpProofText(asked)).toBe(
    '19:agent-relay/http/v12:m13:GET29:/api/messages/pending?limit=543:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU13:176722560000022:AAECAwQFBgcICQoLDA0ODw',
  )
  const signature = signText(goldenKey, httpProofText(asked))
  expect(signature).toBe('wk0p5lOy7efu0KiIMDO2G5pZY4XT0Lhkg5TnXA2yNRlEeFOf9lCYh6yNUvfNuLJUW1zIqDq-kunrtHlS99DACQ')
  const { publicKey } = golden('control/proof.usual')
  expect(isSigned(publicKey, httpProofText(asked), signature)).toBe(true)
  const proof = { at: asked.at, nonce: asked.nonce, signature }
  expect(readHttpProof(writeHttpProof(proof))).toEqual(proof)
})

test.each(['machineId', 'method', 'path', 'bodyHash', 'at', 'nonce'] as const)('%s is signed', (field) => {
  const other = { ...asked, [field]: field === 'at' ? asked.at + 1 : `${asked[field]}0` }
  expect(httpProofText(other)).not.toBe(httpProofText(asked))
})

test('no part flows into the next', () => {
  const one = httpProofText({ ...asked, machineId: 'm13:G', method: 'ET' })
  const two = httpProofText({ ...asked, machineId: 'm1', method: '3:GET' })
  expect(one).not.toBe(two)
})
