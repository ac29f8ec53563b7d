/** One connection on its way to a link: a step is waited for only while the socket lives, nobody has given up, and there is time. */
import type { Socket } from 'node:net'

export type Attempt = {
  /** Gives the step's value, or rejects with what came first: the step's own error, the attempt's end, or `timeout`'s. */
  within<T>(ms: number, step: Promise<T>, timeout: () => Error): Promise<T>
}

type Options = {
  /** What it means that the socket closed, after this error if it was one. */
  lost(error: Error | undefined): Error
  signal?: AbortSignal | undefined
  /** What it means that the signal came. */
  givenUp(): Error
}

/** The socket stays the caller's to end. */
export function createAttempt(socket: Socket, { lost, signal, givenUp }: Options): Attempt {
  const over = Promise.withResolvers<never>()
  // It is raced against each step; between two nobody listens.
  over.promise.catch(() => undefined)
  let failure: Error | undefined
  const onAbort = (): void => over.reject(givenUp())
  socket.on('error', (error) => {
    failure = error
  })
  socket.once('close', () => {
    signal?.removeEventListener('abort', onAbort)
    over.reject(lost(failure))
  })
  if (signal?.aborted) onAbort()
  else signal?.addEventListener('abort', onAbort, { once: true })

  return {
    async within(ms, step, timeout) {
      const timer = setTimeout(() => over.reject(timeout()), ms)
      timer.unref()
      // When it fails second, nobody hears of it.
      step.catch(() => undefined)
      try {
        return await Promise.race([step, over.promise])
      } finally {
        clearTimeout(timer)
      }
    },
  }
}
