import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeWhenStale } from './stamp.ts'

let folder: string
let made: number
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'agent-relay-stamp-'))
  made = 0
  mkdirSync(path.join(folder, 'src'))
  write('src/a.ts', 'one')
})
afterEach(() => rmSync(folder, { recursive: true }))

const write = (name: string, text: string) => writeFileSync(path.join(folder, name), text)
const make = (fail = false) =>
  makeWhenStale(path.join(folder, 'stamp'), [path.join(folder, 'src'), path.join(folder, 'missing')], async () => {
    made++
    if (fail) throw new Error('no')
  })

test('makes once, and again when a source changed, came or went', async () => {
  await make()
  await make()
  expect(made).toBe(1)
  write('src/a.ts', 'two')
  await make()
  write('src/b.ts', '')
  await make()
  rmSync(path.join(folder, 'src/a.ts'))
  await make()
  expect(made).toBe(4)
})

test('does not make for a newer time or a changed test', async () => {
  await make()
  utimesSync(path.join(folder, 'src/a.ts'), new Date(), new Date())
  write('src/a.test.ts', 'new')
  await make()
  expect(made).toBe(1)
})

test('makes again after a failure', async () => {
  await expect(make(true)).rejects.toThrow('no')
  await make()
  expect(made).toBe(2)
})
