import { expect, test } from 'vitest'
import { hashMachineKey, isMachineKey, makeMachineKey } from './machine-key.ts'

test('a key is known by its form, and every single changed character is noticed', () => {
  const { key, hash, prefix } = makeMachineKey()
  expect(isMachineKey(key)).toBe(true)
  expect(key.startsWith(prefix)).toBe(true)
  expect(prefix).toMatch(/^ar_live_[0-9A-Za-z]{8}$/)
  expect(hash).toBe(hashMachineKey(key))
  for (let i = 'ar_live_'.length; i < key.length; i++) {
    const other = key[i] === 'x' ? 'y' : 'x'
    expect(isMachineKey(key.slice(0, i) + other + key.slice(i + 1))).toBe(false)
  }
  expect(isMachineKey(key.slice(1))).toBe(false)
  expect(isMachineKey(`${key} `)).toBe(false)
})

test('no two keys are alike', () => {
  expect(new Set(Array.from({ length: 1000 }, () => makeMachineKey().key)).size).toBe(1000)
})
