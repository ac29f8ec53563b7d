/** Whether a program has taken the whole screen (xterm's alternate buffer), as editors and pagers do. Pure. */

export type ScreenMode = {
  watch(output: Uint8Array): void
  isFull(): boolean
}

const ESC = 0x1b
/** Longer than any sequence that switches, so that none is missed between two chunks. */
const OVERLAP_BYTES = 16

export function createScreenMode(): ScreenMode {
  let tail = ''
  let isFull = false
  return {
    watch(output) {
      if (tail === '' && output.indexOf(ESC) < 0) return
      const text = tail + Buffer.from(output.buffer, output.byteOffset, output.byteLength).toString('latin1')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what this looks for
      for (const [, mode] of text.matchAll(/\u001b\[\?(?:1049|1047|47)([hl])/g)) isFull = mode === 'h'
      const start = text.lastIndexOf('\u001b')
      tail = start >= 0 && text.length - start < OVERLAP_BYTES ? text.slice(start) : ''
    },
    isFull: () => isFull,
  }
}
