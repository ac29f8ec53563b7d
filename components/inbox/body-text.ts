/** What a message body becomes on the page: text, links to the web, and characters that would be unseen, made visible. Pure. */

export type BodyPart = { kind: 'text' | 'link' | 'odd'; text: string }

/** Shows nothing, or changes how others show: controls but line feed and tab, direction, zero width, fillers, tags. */
const unseen = String.raw`[[\p{Cc}\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e0fff}]--[\n\t]]`
/** What may stand before a joiner: an emoji, a mark, a letter of a script that needs it. */
const joined = String.raw`[\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f\p{M}[\p{L}--[\p{sc=Latin}\p{sc=Cyrillic}\p{sc=Greek}]]]`
/** Variation selectors with nothing to vary: in a row they spell out what only a program reads. */
const selectors = String.raw`(?<![^\s\ufe00-\ufe0f])[\ufe00-\ufe0f]`
const odd = new RegExp(String.raw`(?:${unseen}|(?<!${joined})[\u200c\u200d]|${selectors})+`, 'gv')

/** A web address, shown as the whole of itself: nothing that hides where it goes. */
const link = /https?:\/\/[^\s<>"'`\\^{|}]+/giu

const controls =
  'NUL SOH STX ETX EOT ENQ ACK BEL BS TAB LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US'.split(
    ' ',
  )

/** As one reads it: the name of a control (`ESC`), else the number (`U+202E`). */
function named(character: string): string {
  const code = character.codePointAt(0) as number
  return controls[code] ?? (code === 0x7f ? 'DEL' : `U+${code.toString(16).toUpperCase().padStart(4, '0')}`)
}

const nameAll = (run: string): string => {
  const names = [...run].map(named)
  return names.length <= 8 ? names.join(' ') : `${names.slice(0, 8).join(' ')} and ${names.length - 8} more`
}

/** One line or more with nothing unseen in it, for where there is no markup. */
export const visibleText = (text: string): string => text.replace(odd, nameAll)

/** A body in parts. `\r\n` counts as a line feed. */
export function bodyParts(body: string): BodyPart[] {
  const text = body.replace(/\r\n/g, '\n')
  const parts: BodyPart[] = []
  let at = 0
  for (const match of text.matchAll(odd)) {
    parts.push(...withLinks(text.slice(at, match.index)), { kind: 'odd', text: nameAll(match[0]) })
    at = match.index + match[0].length
  }
  return [...parts, ...withLinks(text.slice(at))]
}

function withLinks(text: string): BodyPart[] {
  const parts: BodyPart[] = []
  let at = 0
  for (const match of text.matchAll(link)) {
    const address = trimmed(match[0])
    if (!isPlain(address)) continue
    if (match.index > at) parts.push({ kind: 'text', text: text.slice(at, match.index) })
    parts.push({ kind: 'link', text: address })
    at = match.index + address.length
  }
  if (at < text.length) parts.push({ kind: 'text', text: text.slice(at) })
  return parts
}

const closing: Record<string, string> = { ')': '(', ']': '[' }

/** Without the sentence's own punctuation at its end, and without brackets that were opened before it. One look at each character. */
function trimmed(address: string): string {
  const unopened = [...')]'].filter((bracket) => !address.includes(closing[bracket] as string))
  const dropped = new Set(['.', ',', ';', ':', '!', '?', '…', ...unopened])
  let end = address.length
  while (dropped.has(address[end - 1] as string)) end--
  return address.slice(0, end)
}

/** ASCII only and without a user's name: `https://bank.example@evil.example` and look-alike letters stay text. */
function isPlain(address: string): boolean {
  if (!/^[\x21-\x7e]+$/.test(address) || !URL.canParse(address)) return false
  const { username, password, hostname } = new URL(address)
  return username === '' && password === '' && !hostname.includes('xn--')
}

/**
 * Geist kerns runs of `x` in context, in quadratic time: 60,000 of them hold the page for 15 s. Nobody reads so much at once
 * with an eye for its kerning.
 */
export const isSlowToKern = (text: string): boolean => text.length > 4_000

const FOLD_LINES = 14
const FOLD_CHARACTERS = 1_400

/** How much of a long body stands there at first: undefined when all of it does. */
export function folded(body: string): string | undefined {
  let at = -1
  for (let lines = 0; lines < FOLD_LINES; lines++) {
    at = body.indexOf('\n', at + 1)
    if (at < 0 || at > FOLD_CHARACTERS) break
  }
  const end = at < 0 || at > FOLD_CHARACTERS ? FOLD_CHARACTERS : at
  // A fold that hides next to nothing is not worth a click.
  if (body.length <= end * 1.25) return undefined
  return body.slice(0, end).replace(/[\ud800-\udbff]$/, '')
}
