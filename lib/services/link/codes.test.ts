import { expect, test } from 'vitest'
import { makeUserCode, readUserCode } from './codes.ts'

test('a user code is read however a person types it', () => {
  const code = makeUserCode()
  expect(code).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/)
  const bare = code.replace('-', '')
  for (const typed of [
    code,
    bare,
    code.toLowerCase(),
    ` ${bare.slice(0, 2)} ${bare.slice(2)} `,
    code.replace('-', '–'),
  ])
    expect(readUserCode(typed)).toBe(code)
})

test.each(['', 'BCDF', 'BCDF-GHJA', 'BCDF-GHJ1', 'BCDF-GHJK-L', '１２３４'])('%j is no user code', (typed) => {
  expect(readUserCode(typed)).toBeUndefined()
})
