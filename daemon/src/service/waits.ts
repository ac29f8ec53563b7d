/** `send --wait`: answered when every message came as far as was asked, failed, or the time is over. */
import { type DeliveryState, isLater } from '@agent-relay/protocol'

type Wait = {
  /** What is still short of the goal. */
  open: Set<string>
  goal: DeliveryState
  timer: NodeJS.Timeout
  done: (isReached: boolean) => void
}

export type Waits = {
  /** `known` is what is on disk now. `done` is called once. */
  add(
    known: Map<string, DeliveryState>,
    goal: DeliveryState,
    timeoutMs: number,
    done: (isReached: boolean) => void,
  ): void
  has(id: string): boolean
  progress(id: string, state: DeliveryState): void
  stop(): void
}

export function createWaits(): Waits {
  const byId = new Map<string, Set<Wait>>()
  const isReached = (state: DeliveryState, goal: DeliveryState): boolean => state === goal || isLater(state, goal)
  const end = (wait: Wait, reached: boolean): void => {
    clearTimeout(wait.timer)
    for (const id of wait.open) {
      const waits = byId.get(id)
      waits?.delete(wait)
      if (waits?.size === 0) byId.delete(id)
    }
    wait.done(reached)
  }
  return {
    add(known, goal, timeoutMs, done) {
      const open = new Set([...known].filter(([, state]) => !isReached(state, goal)).map(([id]) => id))
      if (open.size === 0) {
        done(true)
        return
      }
      const wait: Wait = { open, goal, done, timer: setTimeout(() => end(wait, false), timeoutMs) }
      for (const id of open) byId.set(id, (byId.get(id) ?? new Set()).add(wait))
    },
    has: (id) => byId.has(id),
    progress(id, state) {
      const waits = byId.get(id)
      if (waits === undefined) return
      for (const wait of waits) {
        if (!isReached(state, wait.goal)) continue
        wait.open.delete(id)
        waits.delete(wait)
        if (wait.open.size === 0) end(wait, true)
      }
      if (waits.size === 0) byId.delete(id)
    },
    stop() {
      for (const waits of [...byId.values()]) for (const wait of [...waits]) end(wait, false)
    },
  }
}
