/**
 * Where each machine stands: a grid of cells in rows above and below the control plane, which is in the middle. Pure and the
 * same for the same machines. A machine keeps its cell while others come and go; the grid grows in steps, and only then,
 * or when most of it is empty, everything is placed anew.
 */

export type Point = { x: number; y: number }
export type Box = Point & { width: number; height: number }

/** Sizes in px: of a node, and between two of them. Full nodes list their agents, compact ones count them. */
type Scale = { isFull: boolean; width: number; height: number; gapX: number; gapY: number }
const FULL: Scale = { isFull: true, width: 200, height: 162, gapX: 128, gapY: 96 }
const COMPACT: Scale = { isFull: false, width: 148, height: 48, gapX: 100, gapY: 48 }

export const HUB_ID = 'control-plane'
const HUB = { width: 148, height: 44 }
/** Between the control plane and the rows beside it. */
const HUB_GAP = 68

/** Most machines that a person can tell apart in a picture; a table takes any number. */
export const MAX_DRAWN = 60

type Step = { columns: number; rows: number; scale: Scale }
const STEPS: readonly Step[] = [
  { columns: 1, rows: 1, scale: FULL },
  { columns: 2, rows: 1, scale: FULL },
  { columns: 2, rows: 2, scale: FULL },
  { columns: 2, rows: 3, scale: FULL },
  { columns: 3, rows: 4, scale: COMPACT },
  { columns: 4, rows: 4, scale: COMPACT },
  { columns: 4, rows: 6, scale: COMPACT },
  { columns: 5, rows: 8, scale: COMPACT },
  { columns: 6, rows: 10, scale: COMPACT },
]
const sizeOf = ({ columns, rows }: Step): number => columns * rows

/** Which machine has which cell; hand it to the next `place`. */
export type Placement = { step: number; cells: ReadonlyMap<string, number> }

/** Gives every machine a cell. `ids` in any order, at most MAX_DRAWN; ids are in order of linking, and so are cells taken. */
export function place(ids: readonly string[], before?: Placement): Placement {
  const wanted = [...new Set(ids)].sort().slice(0, MAX_DRAWN)
  const smallest = STEPS.findIndex((step) => sizeOf(step) >= wanted.length)
  // A step down is taken only when two would do: who comes and goes at an edge does not move everybody each time.
  const stays = before !== undefined && before.step >= smallest && before.step - smallest < 2
  const step = stays ? before.step : smallest
  const cells = new Map<string, number>()
  if (stays)
    for (const id of wanted) {
      const cell = before.cells.get(id)
      if (cell !== undefined) cells.set(id, cell)
    }
  const taken = new Set(cells.values())
  let next = 0
  for (const id of wanted) {
    if (cells.has(id)) continue
    while (taken.has(next)) next++
    cells.set(id, next)
    taken.add(next)
  }
  return { step, cells }
}

export type Places = { isFull: boolean; hub: Box; machines: Map<string, Box> }

/** The boxes of a placement; `heights` of full nodes, which depend on their agents, at most the height of a cell. */
export function boxesOf({ step, cells }: Placement, heights: ReadonlyMap<string, number>): Places {
  const { columns, rows, scale } = STEPS[step] as Step
  const above = Math.floor(rows / 2)
  const { isFull, width, height, gapX, gapY } = scale
  const order = cellOrder(columns, rows)
  const middle = (columns * width + (columns - 1) * gapX) / 2
  const hubTop = above === 0 ? 0 : above * height + (above - 1) * gapY + HUB_GAP
  const machines = new Map<string, Box>()
  for (const [id, cell] of cells) {
    const { column, row } = order[cell] as Cell
    const own = isFull ? Math.min(height, heights.get(id) ?? height) : height
    const below = row - above
    // Rows hang from, or stand on, the side that looks to the control plane, so that lines along a row are straight.
    const top = below < 0 ? row * (height + gapY) : hubTop + HUB.height + HUB_GAP + below * (height + gapY)
    machines.set(id, { x: column * (width + gapX), y: below < 0 ? top + height - own : top, width, height: own })
  }
  return { isFull, hub: { x: middle - HUB.width / 2, y: hubTop, ...HUB }, machines }
}

type Cell = { column: number; row: number }

/** Cells from the middle outwards, left before right, so that a grid that is not full is full in its middle. */
function cellOrder(columns: number, rows: number): Cell[] {
  const far = ({ column, row }: Cell): number =>
    Math.abs(row - (rows - 1) / 2) * 1.5 + Math.abs(column - (columns - 1) / 2)
  return Array.from({ length: columns * rows }, (_, n) => ({ column: n % columns, row: Math.floor(n / columns) })).sort(
    (a, b) => far(a) - far(b) || a.row - b.row || a.column - b.column,
  )
}
