/** Lines between boxes that go around the boxes in between, and where their labels stand. Pure and the same for the same boxes. */
import type { Box, Point } from './place.ts'

/** A line from border to border, bent over `bend`. */
export type Curve = { from: Point; bend: Point; to: Point }
/** `labelWidth` in px; null for a line without a label. */
export type Wanted = { id: string; a: string; b: string; labelWidth: number | null }
export type Drawn = { id: string; curve: Curve; path: string; label: Point | null }

export const LABEL_HEIGHT = 22
/** A line keeps this far from boxes that it does not lead to, px. */
const CLEAR = 8
/** How far a line may bend aside, in px, the straightest first; left before right. */
const BENDS = [0, 24, -24, 48, -48, 72, -72, 96, -96, 120, -120, 150, -150, 180, -180, 220, -220, 260, -260, 300, -300]
/** Beyond this many lines they are drawn straight: going around would take longer than a person waits. */
const MAX_BENT = 300
/** A line ends this far before its box, px: there is a ring at its end. */
export const RING = 3.5
/** Where along a line its label may stand. */
const SPOTS = [0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74]

/** A line may swing so far out of the picture and no farther, px. */
const OUTSIDE = 32

/** Draws every line whose ends are there. A label that has no room of its own is left out. */
export function drawLines(boxes: ReadonlyMap<string, Box>, hub: Box, wanted: readonly Wanted[]): Drawn[] {
  const within = around([hub, ...boxes.values()])
  const lines = wanted.flatMap((line) => {
    const [a, b] = [boxes.get(line.a), boxes.get(line.b)]
    if (a === undefined || b === undefined) return []
    const others = [hub, ...boxes.values()].filter((box) => box !== a && box !== b)
    const curve = wanted.length > MAX_BENT ? curveOf(a, b, 0) : bestCurve(a, b, { others, within })
    return [{ ...line, curve, path: pathOf(curve) }]
  })
  const taken = [hub, ...boxes.values()]
  return lines.map(({ id, curve, path, labelWidth }) => {
    if (labelWidth === null) return { id, curve, path, label: null }
    const size = { width: labelWidth, height: LABEL_HEIGHT }
    const label = SPOTS.map((t) => pointOn(curve, t)).find(({ x, y }) => {
      const box = { x: x - size.width / 2, y: y - size.height / 2, ...size }
      return !taken.some((other) => overlaps(box, other, 2))
    })
    if (label) taken.push({ x: label.x - size.width / 2, y: label.y - size.height / 2, ...size })
    return { id, curve, path, label: label ?? null }
  })
}

/** A straight line between two boxes, for what hangs on the control plane. */
export const straight = (a: Box, b: Box): string => {
  const { from, to } = curveOf(a, b, 0)
  return `M${round(from.x)} ${round(from.y)}L${round(to.x)} ${round(to.y)}`
}

type Obstacles = { others: readonly Box[]; within: Box }

function bestCurve(a: Box, b: Box, { others, within }: Obstacles): Curve {
  let best = curveOf(a, b, 0)
  let fewest = Number.POSITIVE_INFINITY
  for (const bend of BENDS) {
    const curve = curveOf(a, b, bend)
    const hits = others.filter((box) => crosses(curve, box)).length + Number(leaves(curve, within))
    if (hits >= fewest) continue
    best = curve
    fewest = hits
    if (hits === 0) break
  }
  return best
}

function curveOf(a: Box, b: Box, bend: number): Curve {
  const [p, q] = [middleOf(a), middleOf(b)]
  const length = Math.hypot(q.x - p.x, q.y - p.y) || 1
  // The middle of the curve is half as far aside as the point that bends it.
  const aside = { x: (-(q.y - p.y) / length) * bend * 2, y: ((q.x - p.x) / length) * bend * 2 }
  const over = { x: (p.x + q.x) / 2 + aside.x, y: (p.y + q.y) / 2 + aside.y }
  return { from: borderOf(a, over), bend: over, to: borderOf(b, over) }
}

const middleOf = ({ x, y, width, height }: Box): Point => ({ x: x + width / 2, y: y + height / 2 })

/** Where a line from the middle of the box to `towards` leaves it, with room for the ring. */
function borderOf(box: Box, towards: Point): Point {
  const from = middleOf(box)
  const [dx, dy] = [towards.x - from.x, towards.y - from.y]
  const half = { width: box.width / 2 + RING, height: box.height / 2 + RING }
  const t = Math.min(half.width / Math.abs(dx || 1e-9), half.height / Math.abs(dy || 1e-9), 1)
  return { x: from.x + dx * t, y: from.y + dy * t }
}

export function pointOn({ from, bend, to }: Curve, t: number): Point {
  const u = 1 - t
  return {
    x: u * u * from.x + 2 * u * t * bend.x + t * t * to.x,
    y: u * u * from.y + 2 * u * t * bend.y + t * t * to.y,
  }
}

/** The picture with what may be drawn around it. */
function around(boxes: readonly Box[]): Box {
  const [left, top] = [Math.min(...boxes.map(({ x }) => x)), Math.min(...boxes.map(({ y }) => y))]
  const right = Math.max(...boxes.map(({ x, width }) => x + width))
  const bottom = Math.max(...boxes.map(({ y, height }) => y + height))
  return {
    ...{ x: left - OUTSIDE, y: top - OUTSIDE },
    ...{ width: right - left + 2 * OUTSIDE, height: bottom - top + 2 * OUTSIDE },
  }
}

function leaves(curve: Curve, { x, y, width, height }: Box): boolean {
  for (let i = 1; i < 16; i++) {
    const at = pointOn(curve, i / 16)
    if (at.x < x || at.x > x + width || at.y < y || at.y > y + height) return true
  }
  return false
}

function crosses(curve: Curve, box: Box): boolean {
  for (let i = 1; i < 32; i++) {
    const { x, y } = pointOn(curve, i / 32)
    if (x > box.x - CLEAR && x < box.x + box.width + CLEAR && y > box.y - CLEAR && y < box.y + box.height + CLEAR)
      return true
  }
  return false
}

/** Whether two boxes come nearer to each other than `gap`. */
export const overlaps = (a: Box, b: Box, gap = 0): boolean =>
  a.x < b.x + b.width + gap && b.x < a.x + a.width + gap && a.y < b.y + b.height + gap && b.y < a.y + a.height + gap

const round = (value: number): number => Math.round(value * 10) / 10
const pathOf = ({ from, bend, to }: Curve): string =>
  `M${round(from.x)} ${round(from.y)}Q${round(bend.x)} ${round(bend.y)} ${round(to.x)} ${round(to.y)}`
