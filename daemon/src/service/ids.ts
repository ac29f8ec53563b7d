/** UUIDv7 (RFC 9562): ids that sort by time, also within a millisecond, because the 12 bits after it count up. */
import { randomFillSync } from 'node:crypto'

const pool = Buffer.alloc(8 * 512)
let used = pool.length
let lastMs = 0
let counter = 0

/** A new id. `now` in ms since 1970; ids never sort before an earlier one of this process. */
export function newId(now: number): string {
  const ms = Math.floor(now)
  if (ms > lastMs) {
    lastMs = ms
    counter = 0
  } else if (++counter > 0xfff) {
    lastMs++
    counter = 0
  }
  if (used >= pool.length) {
    randomFillSync(pool)
    used = 0
  }
  const random = pool.toString('hex', used, used + 8)
  used += 8
  const time = lastMs.toString(16).padStart(12, '0')
  const variant = '89ab'[Number.parseInt(random[0] as string, 16) & 3]
  return `${time.slice(0, 8)}-${time.slice(8)}-7${counter.toString(16).padStart(3, '0')}-${variant}${random.slice(1, 4)}-${random.slice(4)}`
}
