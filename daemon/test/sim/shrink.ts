/** Finds the shortest schedule that still fails in the same way: delta debugging over its actions, then over what they count. */
import type { Action, Schedule } from './schedule.ts'

/** `fails` says whether this schedule breaks the same rule. */
export function shrink(schedule: Schedule, fails: (schedule: Schedule) => boolean): Schedule {
  let best = schedule
  const attempt = (actions: Action[]): boolean => {
    const candidate = { ...best, actions }
    if (!fails(candidate)) return false
    best = candidate
    return true
  }
  for (let isBetter = true; isBetter; ) {
    isBetter = false
    for (let size = Math.max(1, best.actions.length >> 1); size >= 1; size >>= 1) {
      for (let from = 0; from < best.actions.length; ) {
        const rest = [...best.actions.slice(0, from), ...best.actions.slice(from + size)]
        if (attempt(rest)) isBetter = true
        else from += size
      }
    }
    for (let i = 0; i < best.actions.length; i++) {
      const action = best.actions[i] as Action
      if (action.do !== 'send' || action.count === 1) continue
      if (attempt(best.actions.with(i, { ...action, count: 1 }))) isBetter = true
    }
  }
  return best
}
