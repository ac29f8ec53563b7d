'use client'
import { ArrowDown, ArrowUp } from 'lucide-react'
import { type ReactNode, useMemo, useState } from 'react'
import { cn } from './cn.ts'

type Key = string | number | null

export type Column<Row> = {
  id: string
  header: ReactNode
  /** What the column sorts by; absent values stand last, whichever way. Without it the head is no button. */
  by?: (row: Row) => Key
  cell: (row: Row) => ReactNode
}
/** Classes of a column's head and cells: width, alignment, from which screen width on it is there. */
export type Layout = Record<string, string>

function compare(left: Key, right: Key, sign: 1 | -1): number {
  if (left === null || right === null) return Number(left === null) - Number(right === null)
  return typeof left === 'string' && typeof right === 'string'
    ? sign * left.localeCompare(right)
    : sign * (Number(left) - Number(right))
}

/** Numbers and times stand from the greatest down at the first click. */
const isNumber = <Row,>(rows: Row[], by: (row: Row) => Key): boolean => rows.some((row) => typeof by(row) === 'number')

/** A table of 36 px rows whose heads sort. Rows keep their place while they change, as long as their order does. */
export function DataTable<Row>({
  label,
  rows,
  columns,
  layout,
  rowId,
  initialSort,
  rowClassName,
}: {
  label: string
  rows: Row[]
  columns: Column<Row>[]
  layout: Layout
  rowId: (row: Row) => string
  /** The id of the column by which the rows stand at first, upwards. */
  initialSort: string
  rowClassName?: (row: Row) => string | undefined
}) {
  const [sort, setSort] = useState({ id: initialSort, isDown: false })
  const sorted = useMemo(() => {
    const by = columns.find((column) => column.id === sort.id)?.by
    if (!by) return rows
    const sign = sort.isDown ? -1 : 1
    return [...rows].sort((a, b) => compare(by(a), by(b), sign))
  }, [rows, columns, sort])
  return (
    <table aria-label={label} className="w-full table-fixed border-collapse text-left">
      <thead>
        <tr>
          {columns.map(({ id, header, by }) => {
            const isSorted = sort.id === id
            const Arrow = sort.isDown ? ArrowDown : ArrowUp
            return (
              <th
                key={id}
                scope="col"
                aria-sort={isSorted ? (sort.isDown ? 'descending' : 'ascending') : undefined}
                className={cn(
                  'sticky top-0 z-10 h-7 border-b border-hair bg-surface-2 px-2 text-xs font-medium whitespace-nowrap text-fg-3 first:pl-4 last:pr-4',
                  layout[id],
                )}
              >
                {by ? (
                  <button
                    type="button"
                    onClick={() => setSort({ id, isDown: isSorted ? !sort.isDown : isNumber(rows, by) })}
                    className="inline-flex h-6 items-center gap-1 hover:text-fg"
                  >
                    {header}
                    {isSorted && <Arrow aria-hidden size={11} />}
                  </button>
                ) : (
                  header
                )}
              </th>
            )
          })}
        </tr>
      </thead>
      <tbody>
        {sorted.map((row) => (
          <tr key={rowId(row)} className={cn('relative hover:bg-surface-3', rowClassName?.(row))}>
            {columns.map(({ id, cell }) => (
              <td key={id} className={cn('h-9 truncate border-b border-hair px-2 first:pl-4 last:pr-4', layout[id])}>
                {cell(row)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  )
}
