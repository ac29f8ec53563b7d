/** What a benchmark gives back, and how it is shown: absolute figures, and beside them a baseline of the same run. */

export type Figure = {
  name: string
  unit: string
  /** One value a repeat. */
  values: number[]
  /** The same number of values of something simpler or of another program, measured in turn with ours. */
  baseline?: { name: string; values: number[] }
  goal?: string
}

export type Settings = {
  repeats: number
  /** Also run the same work through other programs that are on the PATH. */
  hasPeers: boolean
}

/** What a figure is compared with, and the goal against it. */
export type Comparison = Pick<Figure, 'baseline' | 'goal'>

/** The figure once for each comparison, or as it is without one. */
export const compared = (figure: Figure, comparisons: Comparison[]): Figure[] =>
  comparisons.length === 0 ? [figure] : comparisons.map((comparison) => ({ ...figure, ...comparison }))

export type Spread = { min: number; median: number; max: number }

export function spread(values: number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const half = sorted.length / 2
  const median = ((sorted[Math.ceil(half) - 1] ?? Number.NaN) + (sorted[Math.floor(half)] ?? Number.NaN)) / 2
  return { min: sorted[0] ?? Number.NaN, median, max: sorted.at(-1) ?? Number.NaN }
}

/** The value at this share of the sorted values. */
export const percentile = (sorted: number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN

/** Ours against the baseline, pair by pair: on a shared machine both of a pair met the same weather. */
export const ratios = ({ values, baseline }: Figure): Spread | undefined =>
  baseline && spread(values.map((value, n) => value / (baseline.values[n] ?? Number.NaN)))

export function table(figures: Figure[]): string {
  const rows = [
    ['benchmark', 'min', 'median', 'max', 'unit', 'against', 'ratio', 'goal'],
    ...figures.map((figure) => {
      const { min, median, max } = spread(figure.values)
      const ratio = ratios(figure)
      const against = figure.baseline
        ? `${figure.baseline.name} ${show(spread(figure.baseline.values).median)} ${figure.unit}`
        : ''
      return [
        ...[figure.name, show(min), show(median), show(max), figure.unit, against],
        ...[ratio ? `${show(ratio.median)} (${show(ratio.min)}–${show(ratio.max)})` : '', figure.goal ?? ''],
      ]
    }),
  ]
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  const isNumber = (column: number): boolean => column > 0 && column < 4
  return rows
    .map((row) =>
      row
        .map((cell, n) => (isNumber(n) ? cell.padStart(widths[n] ?? 0) : cell.padEnd(widths[n] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function show(value: number): string {
  if (Number.isNaN(value)) return '-'
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en')
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2)
}
