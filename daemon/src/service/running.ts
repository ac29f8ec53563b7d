/** Which names have a program running under them here. */
import { nameKey } from '@agent-relay/protocol'
import { RelayError } from '../errors.ts'

export type Running = {
  /** Throws NAME_TAKEN, naming the pid, while a program runs under this name. */
  mustBeFree(name: string): void
  set(agentKey: string, pid: number | undefined): void
}

export function createRunning(): Running {
  const pids = new Map<string, number>()
  return {
    mustBeFree(name) {
      const pid = pids.get(nameKey(name))
      if (pid === undefined) return
      throw new RelayError(
        'NAME_TAKEN',
        `${name} already runs on this machine (pid ${pid}): end that program, or take another name.`,
        { details: { pid } },
      )
    },
    set(agentKey, pid) {
      if (pid === undefined) pids.delete(agentKey)
      else pids.set(agentKey, pid)
    },
  }
}
