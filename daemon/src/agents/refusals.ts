/**
 * Words of ours to a program, bounded: a program that sends in answer to every line it reads would otherwise be kept in a
 * circle by its own refusals.
 */

const MAX_LINES = 10
const PERIOD_MS = 10_000

export function createRefusals(write: (line: string) => void): { tell(line: string): void } {
  let told = 0
  let leftOut = 0
  let periodStart = Number.NEGATIVE_INFINITY
  return {
    tell(line) {
      const now = performance.now()
      if (now - periodStart >= PERIOD_MS) {
        periodStart = now
        told = 0
      }
      told += 1
      if (told > MAX_LINES) {
        leftOut += 1
        return
      }
      const more = leftOut > 0 ? ` (${leftOut} notices before this one were left out)` : ''
      leftOut = 0
      write(`${line.replace(/\s+/g, ' ')}${more}`)
    },
  }
}
