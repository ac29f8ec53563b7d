/** The golden sealed frames open: what another version sealed is opened by this one, to the byte. */
import { Envelope } from '@agent-relay/protocol'
import { golden, goldenSealKeys } from '@agent-relay/protocol/fixtures'
import { expect, test } from 'vitest'
import { ARCHIVE, createSealBox } from './seal.ts'

const { alice, bob, archive } = goldenSealKeys
const box = createSealBox([bob])
const open = (value: unknown): string | undefined => {
  const { sealed, ...header } = Envelope.parse(value)
  return sealed && box.open({ ...header, sealed }, [alice.publicKey])
}

test('a body', () => {
  const { body } = golden('envelope/envelope.options')
  expect(open(golden('envelope/envelope.sealed'))).toBe(body)
  expect(open(golden('control/deliver.sealed').envelopes[0])).toBe(body)
})

test('an empty place', () => {
  const empty = golden('envelope/envelope.sealed-void')
  expect(open(empty)).toBe('')
  const { isVoid: _, ...message } = empty
  expect(open(message)).toBeUndefined()
})

test("the archive's copy", () => {
  const { org, from } = golden('envelope/envelope.sealed')
  const [{ id, sealed }] = golden('control/traces.archived').traces
  const opened = createSealBox([archive]).openText({ org, from: from.machine, to: ARCHIVE }, ['archive', id], sealed, [
    alice.publicKey,
  ])
  expect(opened).toBe('hello')
})

test('the golden bodies are sealed by the key that the golden proof says', () => {
  expect(golden('control/proof.seals').seals[0].key).toBe(alice.publicKey)
})
