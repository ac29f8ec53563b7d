import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { findPhrase, hasPhrases, readQuestion, words } from './words.ts'

describe('words', () => {
  test('have no case, no accents and no punctuation', () => {
    expect(words('The API (v2) is UP: foo_bar-baz.ts!')).toEqual([
      'the',
      'api',
      'v2',
      'is',
      'up',
      'foo',
      'bar',
      'baz',
      'ts',
    ])
    expect(words('Naïve ÅNGSTRÖM ﬁle nai\u0308ve')).toEqual(['naive', 'angstrom', 'file', 'naive'])
    expect(words('Привет, мир')).toEqual(['привет', 'мир'])
  })

  test('are single characters where a script has no spaces, and for emoji', () => {
    expect(words('漢字の検索v2')).toEqual(['漢', '字', 'の', '検', '索', 'v2'])
    expect(words('서버 down 🚀done')).toEqual(['서', '버', 'down', '🚀', 'done'])
    // As macOS writes file names: が is か and a voicing mark there.
    expect(words('か\u3099')).toEqual(words('が'))
  })

  test('are the same for ASCII on both ways through', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii' }), (text) => {
        expect(words(`${text} é`)).toEqual([...words(text), 'e'])
      }),
    )
  })
})

describe('a question', () => {
  test('is words that must all be there; the last one may be a beginning', () => {
    expect(readQuestion('api PORT')).toEqual([
      { words: ['api'], isPrefix: false },
      { words: ['port'], isPrefix: true },
    ])
  })

  test('keeps together what is in quotes or without a space, and takes a closed quote as it is', () => {
    expect(readQuestion('"drop table" foo-bar.ts')).toEqual([
      { words: ['drop', 'table'], isPrefix: false },
      { words: ['foo', 'bar', 'ts'], isPrefix: true },
    ])
    expect(readQuestion('"drop table"')).toEqual([{ words: ['drop', 'table'], isPrefix: false }])
    expect(readQuestion('"drop tab')).toEqual([{ words: ['drop', 'tab'], isPrefix: true }])
  })

  test('does not go on after one letter, a Chinese character or an emoji', () => {
    for (const text of ['a', '検索', '🚀']) expect(readQuestion(text).at(-1)?.isPrefix).toBe(false)
  })

  test('of nothing but signs has no words', () => {
    for (const text of ['', '   ', '"', '""', '* AND (', '-->', '\u202e'])
      expect(readQuestion(text).flatMap((p) => p.words)).not.toContain('')
    expect(readQuestion('"" -- *')).toEqual([])
  })

  test('finds its place in the original text', () => {
    const text = 'Die Näherung (foo_bar) ist 検索 fertig'
    const at = (question: string) => {
      const place = findPhrase(text, readQuestion(question))
      return place && text.slice(place.from, place.to)
    }
    expect(at('naherung')).toBe('Näherung')
    expect(at('"foo bar"')).toBe('foo_bar')
    expect(at('検索')).toBe('検索')
    expect(at('fert')).toBe('fertig')
    expect(at('foo ist')).toBe('foo')
    expect(at('absent')).toBeUndefined()
  })

  test('stands in every text that holds its words', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const phrases = readQuestion(`"${text.replaceAll('"', ' ')}"`)
        expect(hasPhrases(`before ${text} after`, phrases)).toBe(true)
      }),
    )
  })
})
