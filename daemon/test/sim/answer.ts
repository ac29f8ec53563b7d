/**
 * An answer as the shipped code takes it, given in the very moment that it comes: promises would put it off to a time that no
 * seed decides. What never comes is as good as a failure that is only logged.
 */
export function answeredNow<T>(ask: (answer: (value: T) => void, fail: (error: unknown) => void) => void): Promise<T> {
  let settled: { value: T } | { error: unknown } | undefined
  const takers: (() => void)[] = []
  function settle(as: NonNullable<typeof settled>): void {
    if (settled !== undefined) return
    settled = as
    for (const take of takers.splice(0)) take()
  }
  function listen(onValue?: ((value: T) => void) | null, onError?: ((error: unknown) => void) | null): void {
    const take = (): void => {
      if (settled === undefined) return
      if ('value' in settled) onValue?.(settled.value)
      else onError?.(settled.error)
    }
    if (settled === undefined) takers.push(take)
    else take()
  }
  const answer = {
    // biome-ignore lint/suspicious/noThenProperty: it stands in for a promise.
    then(onValue?: (value: T) => void, onError?: (error: unknown) => void) {
      listen(onValue, onError)
      return answer
    },
    catch(onError: (error: unknown) => void) {
      listen(undefined, onError)
      return answer
    },
  }
  ask(
    (value) => settle({ value }),
    (error) => settle({ error }),
  )
  return answer as unknown as Promise<T>
}
