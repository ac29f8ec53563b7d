'use client'
import {
  type ColumnDef,
  createSortedRowModel,
  type RowData,
  rowSortingFeature,
  type SortingState,
  tableFeatures,
  useTable,
} from '@tanstack/react-table'
import { ArrowDown, ArrowUp } from 'lucide-react'
import { useState } from 'react'
import { cn } from './cn.ts'

const features = tableFeatures({ rowSortingFeature, sortedRowModel: createSortedRowModel() })

export type Column<Row extends RowData> = ColumnDef<typeof features, Row> & { id: string }
/** Classes of a column's head and cells: width, alignment, from which screen width on it is there. */
export type Layout = Record<string, string>

/** For a column's `sortFn`: by what `read` gives; absent values stand last in ascending order. */
export const by =
  <Row,>(read: (row: Row) => string | number | null) =>
  (a: { original: Row }, b: { original: Row }): number => {
    const [left, right] = [read(a.original), read(b.original)]
    if (left === null || right === null) return Number(left === null) - Number(right === null)
    return typeof left === 'string' && typeof right === 'string'
      ? left.localeCompare(right)
      : Number(left) - Number(right)
  }

/** A table of 36 px rows whose heads sort. Rows keep their place while they change, as long as their order does. */
export function DataTable<Row extends RowData>({
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
  initialSort: SortingState
  rowClassName?: (row: Row) => string | undefined
}) {
  const [sorting, setSorting] = useState<SortingState>(initialSort)
  const table = useTable({
    features,
    columns,
    data: rows,
    getRowId: rowId,
    state: { sorting },
    onSortingChange: setSorting,
    enableSortingRemoval: false,
  })
  return (
    <table aria-label={label} className="w-full table-fixed border-collapse">
      <thead>
        {table.getHeaderGroups().map((group) => (
          <tr key={group.id}>
            {group.headers.map((header) => {
              const direction = header.column.getIsSorted()
              return (
                <th
                  key={header.id}
                  scope="col"
                  aria-sort={direction === 'asc' ? 'ascending' : direction === 'desc' ? 'descending' : undefined}
                  className={cn(
                    'sticky top-0 z-10 h-7 border-b border-hair bg-surface-2 px-2 text-left text-xs font-medium whitespace-nowrap text-fg-3 first:pl-4 last:pr-4',
                    layout[header.column.id],
                  )}
                >
                  {header.column.getCanSort() ? (
                    <button
                      type="button"
                      onClick={header.column.getToggleSortingHandler()}
                      className="inline-flex h-6 items-center gap-1 hover:text-fg"
                    >
                      <table.FlexRender header={header} />
                      {direction === 'asc' && <ArrowUp aria-hidden size={11} />}
                      {direction === 'desc' && <ArrowDown aria-hidden size={11} />}
                    </button>
                  ) : (
                    <table.FlexRender header={header} />
                  )}
                </th>
              )
            })}
          </tr>
        ))}
      </thead>
      <tbody>
        {table.getRowModel().rows.map((row) => (
          <tr key={row.id} className={cn('relative hover:bg-surface-3', rowClassName?.(row.original))}>
            {row.getAllCells().map((cell) => (
              <td
                key={cell.id}
                className={cn('h-9 truncate border-b border-hair px-2 first:pl-4 last:pr-4', layout[cell.column.id])}
              >
                <table.FlexRender cell={cell} />
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  )
}
