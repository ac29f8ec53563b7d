import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DAY_MS, SealKeys } from '@agent-relay/protocol'
import { isOwnSealKey, newKeyPair } from '@agent-relay/protocol/crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openHome } from './home.ts'
import { ensureIdentity } from './identity.ts'
import type { HomePaths } from './paths.ts'
import { ensureSealKeys, readSealing, readSealKeys, rotated, sealKeysOf, writeSealing } from './seal-keys.ts'

const START = 1_767_225_600_000
const WEEK = 7 * DAY_MS

let folder: string
let paths: HomePaths
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'relay-seal-'))
  paths = openHome(folder)
})
afterEach(() => {
  chmodSync(folder, 0o700)
  rmSync(folder, { recursive: true })
})

test('keys are made once, kept private, and leave no draft', () => {
  expect(readSealKeys(paths)).toBeUndefined()
  const made = ensureSealKeys(paths, START)
  expect(made).toHaveLength(1)
  expect(ensureSealKeys(paths, START + WEEK - 1)).toEqual(made)
  expect(readSealKeys(paths)).toEqual(made)
  expect(statSync(paths.seal).mode & 0o777).toBe(0o600)
  expect(readdirSync(folder).sort()).toEqual(['agents', 'seal.key'])
  chmodSync(paths.seal, 0o644)
  readSealKeys(paths)
  expect(statSync(paths.seal).mode & 0o777).toBe(0o600)
})

test('a key is replaced after a week, and forgotten 30 days after that', () => {
  const first = ensureSealKeys(paths, START)[0]
  const second = ensureSealKeys(paths, START + WEEK)
  expect(second).toHaveLength(2)
  expect(second[0]).toEqual(first)
  expect(ensureSealKeys(paths, START + WEEK + 30 * DAY_MS - 1)).toContainEqual(first)
  expect(ensureSealKeys(paths, START + WEEK + 30 * DAY_MS)).not.toContainEqual(first)
  expect(readFileSync(paths.seal, 'utf8')).not.toContain(first?.privateKey as string)
})

test('week after week no more than six are kept', () => {
  for (let week = 0; week < 20; week++) ensureSealKeys(paths, START + week * WEEK)
  expect(readSealKeys(paths)).toHaveLength(6)
})

test('a machine that slept for months opens what waited for it meanwhile', () => {
  const first = ensureSealKeys(paths, START)[0]
  const later = ensureSealKeys(paths, START + 90 * DAY_MS)
  expect(later).toHaveLength(2)
  expect(later[0]).toEqual(first)
})

test('a key from the future does not stay until then', () => {
  const wrong = ensureSealKeys(paths, START + 3650 * DAY_MS)
  expect(ensureSealKeys(paths, START)).toHaveLength(2)
  expect(ensureSealKeys(paths, START)).toHaveLength(2)
  expect(rotated(wrong, START + 3650 * DAY_MS - DAY_MS)).toBe(wrong)
})

test('the roster gets the newest two, newest first, signed by the identity for this machine of this organization', () => {
  const identity = ensureIdentity(paths)
  const keys = [0, 1, 2].map((n) => ({ ...newKeyPair('X25519'), madeAt: n }))
  const said = SealKeys.parse(sealKeysOf(keys, identity, 'org', 'machine'))
  expect(said.map(({ key }) => key)).toEqual([keys[2]?.publicKey, keys[1]?.publicKey])
  for (const one of said) {
    expect(isOwnSealKey(identity.publicKey, 'org', 'machine', one)).toBe(true)
    expect(isOwnSealKey(identity.publicKey, 'org', 'other', one)).toBe(false)
    expect(isOwnSealKey(identity.publicKey, 'other', 'machine', one)).toBe(false)
    expect(isOwnSealKey(identity.publicKey, 'org', 'machine', { ...one, key: newKeyPair('X25519').publicKey })).toBe(
      false,
    )
    expect(isOwnSealKey(newKeyPair('Ed25519').publicKey, 'org', 'machine', one)).toBe(false)
  }
})

const pair = { ...newKeyPair('X25519'), madeAt: START }
test.each([
  ['no JSON', '{'],
  ['nothing', ''],
  ['another shape', '{"v":1,"keys":[]}'],
  ['a newer format', JSON.stringify({ v: 2, keys: [pair] })],
  ['half a key', JSON.stringify({ v: 1, keys: [{ ...pair, privateKey: pair.privateKey.slice(1) }] })],
  ['halves of two keys', JSON.stringify({ v: 1, keys: [{ ...pair, publicKey: newKeyPair('X25519').publicKey }] })],
])('a file with %s is named with the next step, keeps its place, and its secret stays in it', (_, text) => {
  writeFileSync(paths.seal, text)
  for (const use of [() => readSealKeys(paths), () => ensureSealKeys(paths, START)]) {
    expect(use).toThrow(/seal\.key does not hold the keys .* move it away and run: agent-relay up/)
    expect(use).not.toThrow(new RegExp(pair.privateKey.slice(1)))
  }
  expect(readFileSync(paths.seal, 'utf8')).toBe(text)
})

test.skipIf(process.getuid?.() === 0)('a folder that cannot be written is named, and nothing is left in it', () => {
  chmodSync(folder, 0o500)
  expect(() => ensureSealKeys(paths, START)).toThrow(/seal\.key/)
  expect(existsSync(paths.seal)).toBe(false)
})

test('who seals is remembered', () => {
  expect(readSealing(paths)).toEqual(new Set())
  writeSealing(paths, new Set(['a', 'b']))
  expect(readSealing(paths)).toEqual(new Set(['a', 'b']))
  expect(statSync(paths.sealing).mode & 0o777).toBe(0o600)
  writeFileSync(paths.sealing, '[]')
  expect(() => readSealing(paths)).toThrow(/sealing\.json .* move it away/)
})
