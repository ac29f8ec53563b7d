import { randomFillSync } from 'node:crypto'

let lastMs = 0
let counter = 0
/** Drawn for many ids at once: each draw by itself costs more than the rest of an id. */
const pool = Buffer.alloc(8 * 512)
let drawn = pool.length

/**
 * A UUIDv7 that grows with every call in this process, also within one millisecond (RFC 9562 §6.2, method 1): mailboxes are
 * read in the order of these ids.
 */
export function nextRowId(now = Date.now()): string {
  if (now > lastMs) {
    lastMs = now
    counter = 0
  } else if (++counter > 0xfff) {
    lastMs++
    counter = 0
  }
  const time = lastMs.toString(16).padStart(12, '0')
  const count = counter.toString(16).padStart(3, '0')
  if (drawn === pool.length) {
    randomFillSync(pool)
    drawn = 0
  }
  const random = pool.toString('hex', drawn, drawn + 8)
  drawn += 8
  const variant = ((Number.parseInt(random[0] as string, 16) & 0x3) | 0x8).toString(16)
  return `${time.slice(0, 8)}-${time.slice(8)}-7${count}-${variant}${random.slice(1, 4)}-${random.slice(4)}`
}
