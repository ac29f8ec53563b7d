/** Aligned columns without borders, as `ps` and Tailscale print them. */

/** Rows as lines; a column is as wide as its widest cell, the last one is not padded. Colours do not count. */
export function alignColumns(rows: string[][]): string[] {
  const widths: number[] = []
  for (const row of rows)
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, printedWidth(cell))
  return rows.map((row) =>
    row
      .map((cell, i) => (i === row.length - 1 ? cell : cell + ' '.repeat((widths[i] ?? 0) - printedWidth(cell))))
      .join('  ')
      .trimEnd(),
  )
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what this looks for
const printedWidth = (cell: string): number => cell.replace(/\u001b\[\d+m/g, '').length
