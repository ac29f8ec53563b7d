/** Wakes everybody who waits for something to change; they look for themselves whether it did. */
export type Bell = {
  ring(): void
  /** Resolves once `isSo` holds; looks again at every ring. */
  until(isSo: () => boolean): Promise<void>
}

export function makeBell(): Bell {
  let waiting: (() => void)[] = []
  return {
    ring() {
      const woken = waiting
      waiting = []
      for (const wake of woken) wake()
    },
    async until(isSo) {
      while (!isSo())
        await new Promise<void>((resolve) => {
          waiting.push(resolve)
        })
    },
  }
}
