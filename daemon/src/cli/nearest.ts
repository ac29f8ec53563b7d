/** Slips of the finger in words of a command line. Small on purpose: it loads only when something is wrong. */

/** The word that is at most two edits away, or that begins with `wanted`. */
export function nearest(wanted: string, words: string[]): string | undefined {
  const scored = words
    .map((word) => ({ word, score: word.startsWith(wanted) && wanted.length > 1 ? 0 : edits(wanted, word) }))
    .sort((a, b) => a.score - b.score)
  return scored[0] && scored[0].score <= Math.min(2, Math.floor(wanted.length / 2)) ? scored[0].word : undefined
}

/** Levenshtein distance where two swapped neighbours count as one edit. */
function edits(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  const at = (i: number, j: number): number => rows[i]?.[j] ?? 0
  for (let i = 1; i <= a.length; i++) {
    rows[i] = [i]
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const best = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + cost)
      ;(rows[i] as number[])[j] = isSwap ? Math.min(best, at(i - 2, j - 2) + 1) : best
    }
  }
  return at(a.length, b.length)
}
