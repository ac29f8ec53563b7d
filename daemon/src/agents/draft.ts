/** What a person has typed at a program's terminal and not yet entered: a message must not be glued to it. Pure. */

export type Draft = {
  /** Takes what the person typed; returns the lines that this completes. */
  type(data: Uint8Array): string[]
  isEmpty(): boolean
}

/** Keys that empty the row: interrupt, end of input, kill line, quit, suspend (the defaults of stty). */
const clearing = new Set([0x03, 0x04, 0x15, 0x1c, 0x1a])
const MAX_BYTES = 4096

export function createDraft(): Draft {
  let row: number[] = []
  let sequence: 'none' | 'begun' | 'inside' = 'none'

  function key(byte: number): string | undefined {
    if (sequence !== 'none') {
      const isOpener = sequence === 'begun' && (byte === 0x5b || byte === 0x4f)
      if (isOpener) sequence = 'inside'
      else if (sequence === 'begun' || (byte >= 0x40 && byte <= 0x7e)) sequence = 'none'
    } else if (byte === 0x1b) sequence = 'begun'
    else if (byte === 0x0d || byte === 0x0a) {
      const line = new TextDecoder().decode(Uint8Array.from(row))
      row = []
      return line
    } else if (clearing.has(byte)) row = []
    else if (byte === 0x7f || byte === 0x08) eraseCharacter()
    else if (byte >= 0x20 && row.length < MAX_BYTES) row.push(byte)
    return undefined
  }

  function eraseCharacter(): void {
    // Continuation bytes of UTF-8 belong to the character before them.
    while (row.length > 0) {
      const byte = row.pop() ?? 0
      if ((byte & 0xc0) !== 0x80) return
    }
  }

  return {
    type: (data) => [...data].flatMap((byte) => key(byte) ?? []),
    isEmpty: () => row.length === 0,
  }
}
