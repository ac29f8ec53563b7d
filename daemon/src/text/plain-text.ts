/** Terminal bytes as plain text: what a person would read on the line, without colours, titles and cursor movements. */

// CSI … final · OSC/DCS/SOS/PM/APC … BEL or ST · two- and three-byte escapes · and their 8-bit forms (ECMA-48). A string that is
// not ended reaches to the end of its line and no further, and always matches: looked for in vain, it would cost quadratic time.
const escapes =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
  /(?:\u001b\[|\u009b)[\u0030-\u003f]*[\u0020-\u002f]*[\u0040-\u007e]|(?:\u001b[\]PX^_]|[\u009d\u0090\u0098\u009e\u009f])[^\u0007\u001b\u009c\n]*(?:\u0007|\u001b\\|\u009c)?|\u001b[\u0020-\u002f]+[\u0030-\u007e]|\u001b[\u0030-\u007e]/g

// Everything of C0 and C1 that is left, but the tab.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

/** Removes ANSI sequences and control characters; tabs and newlines stay. */
const stripControls = (text: string): string => text.replace(escapes, '').replace(controls, '')

/**
 * One line of output without its line feed. Carriage returns at its end belong to the line end; one in the middle starts the
 * line over, as progress bars do, so only what follows the last one counts.
 */
export function plainLine(raw: string): string {
  const text = raw.replace(escapes, '')
  let end = text.length
  while (text[end - 1] === '\r') end--
  const line = text.slice(0, end)
  return line.slice(line.lastIndexOf('\r') + 1).replace(controls, '')
}

// Format characters (bidirectional marks, zero-width, tags, BOM), letters that print nothing, and variation selectors with nothing
// to vary: in a row they spell out bytes that only a model reads.
const invisible =
  /[\p{Cf}\u115f\u1160\u17b4\u17b5\u2028\u2029\u3164\uffa0]|\u034f|[\u180b-\u180f]|[\u{e0100}-\u{e01ef}]|(?<=^|\s|\p{VS})\p{VS}/gu

/** Somebody else's text with nothing in it that moves a cursor, reorders or hides: fit for a terminal. */
export const visibleText = (text: string): string => stripControls(text.replace(/\r\n?/g, '\n')).replace(invisible, '')
