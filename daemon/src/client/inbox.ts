/** Pushed messages as an async iterable; at most the daemon's push window waits here, because it stops at unmarked ones. */
import type { Incoming } from './types.ts'

export function createInbox() {
  const waiting: Incoming[] = []
  let wanted: { resolve: (result: IteratorResult<Incoming>) => void; reject: (error: unknown) => void } | undefined
  let isRead = false
  let ending: { error: unknown } | undefined

  const next = (): Promise<IteratorResult<Incoming>> => {
    const message = waiting.shift()
    if (message !== undefined) return Promise.resolve({ value: message, done: false })
    if (ending?.error !== undefined) return Promise.reject(ending.error)
    if (ending !== undefined) return Promise.resolve({ value: undefined, done: true })
    return new Promise((resolve, reject) => {
      wanted = { resolve, reject }
    })
  }
  return {
    get isRead() {
      return isRead
    },
    put(message: Incoming): void {
      if (wanted === undefined) {
        waiting.push(message)
        return
      }
      const { resolve } = wanted
      wanted = undefined
      resolve({ value: message, done: false })
    },
    /** With an error, reading rejects; without, it ends. */
    end(error: unknown): void {
      ending ??= { error }
      if (error !== undefined) wanted?.reject(error)
      else wanted?.resolve({ value: undefined, done: true })
      wanted = undefined
    },
    read(): AsyncIterableIterator<Incoming> {
      isRead = true
      return {
        next,
        return: () => Promise.resolve({ value: undefined, done: true }),
        [Symbol.asyncIterator]() {
          return this
        },
      }
    },
  }
}
