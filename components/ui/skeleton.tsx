import { cn } from './cn.ts'

/** A bone of a page that is not there yet, in the final geometry. */
export function Bone({ className, shape = 'h-2 rounded-1' }: { className?: string; shape?: string }) {
  return <span aria-hidden className={cn('inline-block bg-surface-4', shape, className)} />
}

/** Rows of a table that is not there yet. */
export function BoneRows({ rows, height = 36 }: { rows: number; height?: number }) {
  const widths = ['w-24', 'w-36', 'w-28', 'w-40', 'w-20']
  return (
    <div aria-hidden>
      {Array.from({ length: rows }, (_, index) => (
        <div
          // biome-ignore lint/suspicious/noArrayIndexKey: bones have no identity
          key={index}
          style={{ height }}
          className="flex items-center gap-8 border-b border-hair px-4"
        >
          <Bone className={widths[index % widths.length] ?? 'w-24'} />
          <Bone className={widths[(index + 2) % widths.length] ?? 'w-24'} />
          <span className="flex-1" />
          <Bone className="w-14" />
        </div>
      ))}
    </div>
  )
}
