/** How wide text is in a terminal: Chinese, Japanese, Korean and emoji take two columns. */

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' })
// East Asian Width W and F, in blocks, and what shows as a picture by itself or with its variation selector.
const wide =
  /^(?:[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|.\ufe0f)/u

const isPlain = (text: string): boolean => /^[\x20-\x7e]*$/.test(text)

/** Columns of a text without control characters. */
export function columnsOf(text: string): number {
  if (isPlain(text)) return text.length
  let columns = 0
  for (const { segment } of graphemes.segment(text)) columns += wide.test(segment) ? 2 : 1
  return columns
}

/** The text, or as much of its beginning as fits with `…` after it. */
export function fitColumns(text: string, columns: number): string {
  if (text.length <= columns && isPlain(text)) return text
  let used = 0
  let end = 0
  for (const { segment, index } of graphemes.segment(text)) {
    used += wide.test(segment) ? 2 : 1
    if (used > columns) return `${text.slice(0, end).trimEnd()}…`
    // Room for the ellipsis is kept from here on.
    if (used < columns) end = index + segment.length
  }
  return text
}

/** The text in lines that fit, broken between words; a word that is wider than that stands alone. */
export function wrapColumns(text: string, columns: number): string[] {
  if (columnsOf(text) <= columns) return [text]
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const joined = `${lines.at(-1)} ${word}`
    if (lines.length > 0 && columnsOf(joined) <= columns) lines[lines.length - 1] = joined
    else lines.push(word)
  }
  return lines
}
