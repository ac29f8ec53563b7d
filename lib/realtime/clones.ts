/**
 * Two computers with one home: both prove the same identity, and each takes the connection from the other as soon as it can.
 * What tells them from one computer is that a run which another one replaced comes back: a daemon that was started anew, however
 * often, has a new boot id each time, and the old one does not return.
 */
import type { WireError } from '@agent-relay/protocol'

/** So many returns in so long. One may be a last try of a run that was being stopped, and one more the answer to it. */
const RETURNS = 3
const WINDOW_MS = 2 * 60_000
/** Without any try for so long, the machine may come again. */
const QUIET_MS = 60_000
/** Of replaced runs that are remembered for one machine. */
const MAX_RUNS = 8
/** Beyond so many machines those that did nothing for a while are forgotten. */
const SWEEP_AT = 10_000
const FORGET_MS = 10 * 60_000

export const cloned: WireError = {
  code: 'CLONED',
  message:
    "This machine's home is in use on two computers, so both were stopped. Remove the copy, or link it anew (there: agent-relay unlink, then agent-relay link). Then wait a minute and run: agent-relay up",
}

export type Clones = {
  /** A run of this machine has proved itself at `now` (ms): whether it and the one that is here must both be ended. */
  isClone(machineId: string, bootId: string, now?: number): boolean
  /** Whether no run of this machine may stay now. */
  isRefused(machineId: string, now?: number): boolean
}

type Runs = { current: string; replaced: Set<string>; returns: number[]; refusedUntil: number; lastAt: number }

export function createClones(): Clones {
  const machines = new Map<string, Runs>()

  function runsOf(machineId: string, bootId: string, now: number): Runs {
    const known = machines.get(machineId)
    if (known) return known
    if (machines.size >= SWEEP_AT)
      for (const [id, { lastAt }] of machines) if (now - lastAt > FORGET_MS) machines.delete(id)
    const fresh = { current: bootId, replaced: new Set<string>(), returns: [], refusedUntil: 0, lastAt: now }
    machines.set(machineId, fresh)
    return fresh
  }

  return {
    isRefused: (machineId, now = performance.now()) => now < (machines.get(machineId)?.refusedUntil ?? 0),
    isClone(machineId, bootId, now = performance.now()) {
      const runs = runsOf(machineId, bootId, now)
      runs.lastAt = now
      if (now < runs.refusedUntil) {
        runs.refusedUntil = now + QUIET_MS
        return true
      }
      if (bootId === runs.current) return false
      const isBack = runs.replaced.delete(bootId)
      runs.replaced.add(runs.current)
      for (const oldest of runs.replaced) if (runs.replaced.size > MAX_RUNS) runs.replaced.delete(oldest)
      runs.current = bootId
      if (!isBack) return false
      runs.returns = [...runs.returns.filter((at) => now - at < WINDOW_MS), now]
      if (runs.returns.length < RETURNS) return false
      Object.assign(runs, { returns: [], refusedUntil: now + QUIET_MS })
      runs.replaced.clear()
      return true
    },
  }
}
