/**
 * What counts as a word, once for the index, the question and the excerpt: runs of letters and digits, without case and accents.
 * Scripts that do not put spaces between words, and emoji, are one word a character, so that any part of a phrase is found.
 */

const UNSPACED =
  '\\p{sc=Han}\\p{sc=Hiragana}\\p{sc=Katakana}\\p{sc=Hangul}\\p{sc=Thai}\\p{sc=Lao}\\p{sc=Khmer}\\p{sc=Myanmar}'
const word = new RegExp(
  `[${UNSPACED}]\\p{M}*|[\\p{ExtPict}\\p{RI}]\\p{M}*|[[\\p{L}\\p{N}\\p{M}\\p{Co}]--[${UNSPACED}]]+`,
  'gv',
)
const unspaced = new RegExp(`^[${UNSPACED}\\p{ExtPict}\\p{RI}]`, 'v')
/** A base64 blob is one word; nobody types more of it than this. */
const MAX_WORD_CHARS = 64

type Word = { text: string /** Where it begins and ends in the original. */; from: number; to: number }

/** The words of a text in order, folded, with their places. */
function* wordsWithPlaces(text: string): Generator<Word> {
  for (const match of text.matchAll(word))
    yield { text: fold(match[0]), from: match.index, to: match.index + match[0].length }
}

/** The words of a text in order, folded. */
export function words(text: string): string[] {
  // Most of what agents write.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
  if (/^[\x00-\x7f]*$/.test(text)) return (text.toLowerCase().match(/[a-z0-9]+/g) ?? []).map(cut)
  return (text.match(word) ?? []).map(fold)
}

// Compatibility forms and accents go; what composes anew, as Hangul and Japanese voicing marks do, stays a letter.
const fold = (match: string): string =>
  cut(
    match
      .normalize('NFKD')
      .replace(/[\u0300-\u036f\ufe00-\ufe0f]/g, '')
      .normalize('NFC')
      .toLowerCase(),
  )
const cut = (text: string): string => text.slice(0, MAX_WORD_CHARS)

/** Words that must stand one after another; the last may be the beginning of one. */
export type Phrase = { words: string[]; isPrefix: boolean }

/**
 * What a person typed into a search, as phrases that must all be there. Quotes hold a phrase together, as does anything without
 * a space in it, such as `foo-bar.ts`; what is typed last may go on. Any text is a question; one without words finds nothing.
 */
export function readQuestion(text: string): Phrase[] {
  const parts = [...text.matchAll(/"([^"]*)"?|[^\s"]+/g)]
  return parts.flatMap((part, i): Phrase[] => {
    const found = words(part[1] ?? part[0])
    const last = found.at(-1)
    if (last === undefined) return []
    const isOpen = i === parts.length - 1 && !/^"[^"]*"$/.test(part[0])
    // One letter is the beginning of every tenth word: that is no question.
    return [{ words: found, isPrefix: isOpen && last.length > 1 && !unspaced.test(last) }]
  })
}

/** Where the first phrase stands in the text, or undefined. */
export function findPhrase(text: string, [phrase]: readonly Phrase[]): { from: number; to: number } | undefined {
  if (phrase === undefined) return undefined
  const last: Word[] = []
  for (const found of wordsWithPlaces(text)) {
    last.push(found)
    if (last.length > phrase.words.length) last.shift()
    if (last.length === phrase.words.length && stands(phrase, last, 0))
      return { from: (last[0] as Word).from, to: found.to }
  }
  return undefined
}

/** Whether every phrase stands in the text. */
export function hasPhrases(text: string, phrases: readonly Phrase[]): boolean {
  const all = words(text).map((found) => ({ text: found }))
  return phrases.every((phrase) => all.some((_, i) => stands(phrase, all, i)))
}

const stands = ({ words: wanted, isPrefix }: Phrase, all: readonly { text: string }[], at: number): boolean =>
  wanted.every((text, k) => {
    const found = all[at + k]?.text
    return isPrefix && k === wanted.length - 1 ? found?.startsWith(text) === true : found === text
  })
