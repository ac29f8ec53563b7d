import fc from 'fast-check'
import { expect, test } from 'vitest'
import { columnsOf, fitColumns, wrapColumns } from './width.ts'

test('counts what a terminal shows, not what a string holds', () => {
  expect(columnsOf('plain')).toBe(5)
  expect(columnsOf('漢字かな서버')).toBe(12)
  expect(columnsOf('naïve')).toBe(5)
  expect(columnsOf('nai\u0308ve')).toBe(5)
  expect(columnsOf('🚀')).toBe(2)
  expect(columnsOf('👩‍💻')).toBe(2)
  expect(columnsOf('✓')).toBe(1)
})

test('cuts between characters and never over the width', () => {
  expect(fitColumns('abcdef', 6)).toBe('abcdef')
  expect(fitColumns('abcdefg', 6)).toBe('abcde…')
  expect(fitColumns('漢字漢字', 5)).toBe('漢字…')
  expect(fitColumns('漢字漢字', 6)).toBe('漢字…')
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 20 }), (text, columns) => {
      const fitted = fitColumns(text, columns)
      expect(columnsOf(fitted)).toBeLessThanOrEqual(columns)
      if (columnsOf(text) <= columns) expect(fitted).toBe(text)
      else expect(text.startsWith(fitted.slice(0, -1))).toBe(true)
    }),
  )
})

test('wraps between words and loses none', () => {
  expect(wrapColumns('one two three', 7)).toEqual(['one two', 'three'])
  expect(wrapColumns('a-very-long-word b', 5)).toEqual(['a-very-long-word', 'b'])
})
