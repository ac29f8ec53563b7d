/** The true time of a run, in ms from its start: what happens happens in its order, and takes none. */

type Entry = { when: number; order: number; act: (() => void) | undefined }

export type Timeline = {
  now(): number
  /** Runs `act` at `when`, or next when that is over; what is due together runs in the order of the calls. The answer cancels. */
  at(when: number, act: () => void): () => void
  /** Runs everything that is due until then, and is then there. */
  runUntil(when: number): void
  /** How much has happened. */
  count(): number
}

/** Throws when more than `limit` things happen: then something spins. */
export function createTimeline(limit: number): Timeline {
  const heap: Entry[] = []
  let now = 0
  let order = 0
  let count = 0

  const isBefore = (a: Entry, b: Entry): boolean => a.when < b.when || (a.when === b.when && a.order < b.order)

  function push(entry: Entry): void {
    let i = heap.push(entry) - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!isBefore(entry, heap[parent] as Entry)) break
      heap[i] = heap[parent] as Entry
      i = parent
    }
    heap[i] = entry
  }

  function pop(): Entry {
    const first = heap[0] as Entry
    const last = heap.pop() as Entry
    if (heap.length === 0) return first
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Entry, heap[child] as Entry)) child++
      if (!isBefore(heap[child] as Entry, last)) break
      heap[i] = heap[child] as Entry
      i = child
    }
    heap[i] = last
    return first
  }

  return {
    now: () => now,
    at(when, act) {
      const entry: Entry = { when: Math.max(now, when), order: order++, act }
      push(entry)
      return () => {
        entry.act = undefined
      }
    },
    runUntil(when) {
      while (heap.length > 0 && (heap[0] as Entry).when <= when) {
        const { act, when: due } = pop()
        if (act === undefined) continue
        if (++count > limit) throw new Error(`more than ${limit} things happened in one run: something spins`)
        now = due
        act()
      }
      now = when
    },
    count: () => count,
  }
}
