/**
 * Group commit: items that come while a batch is on its way go together in the next one. A crowd that comes back after a
 * restart then costs a few transactions instead of one each, all of them waiting for the same row.
 */
export function createBatcher<I, O>(run: (items: I[]) => Promise<O[]>, maxItems = 500): (item: I) => Promise<O> {
  type Waiting = { item: I; resolve: (value: O) => void; reject: (error: unknown) => void }
  let queue: Waiting[] = []
  let isRunning = false

  async function work(): Promise<void> {
    isRunning = true
    while (queue.length > 0) {
      const batch = queue.slice(0, maxItems)
      queue = queue.slice(maxItems)
      try {
        const results = await run(batch.map(({ item }) => item))
        for (const [i, { resolve }] of batch.entries()) resolve(results[i] as O)
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    isRunning = false
  }

  return (item) =>
    new Promise((resolve, reject) => {
      queue.push({ item, resolve, reject })
      if (!isRunning) void work()
    })
}
