/** The processes of a program's session: everything it started, unless that made a session of its own on purpose. */
import { readdirSync, readFileSync } from 'node:fs'

/** A pause between two looks at processes that were told to end. */
const LOOK_MS = 25

/** Sends `signal` to all processes of these sessions; those that are gone are no error. */
export function signalSessions(sessions: ReadonlySet<number>, signal: NodeJS.Signals): void {
  for (const session of sessions) kill(-session, signal)
  for (const { pid, group } of scan(sessions)) if (!sessions.has(group)) kill(pid, signal)
}

/** Resolves to whether all processes of these sessions ended within `withinMs`. */
export async function sessionsEnded(sessions: ReadonlySet<number>, withinMs: number): Promise<boolean> {
  const until = performance.now() + withinMs
  while (hasLiving(sessions)) {
    if (performance.now() >= until) return false
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
  return true
}

function hasLiving(sessions: ReadonlySet<number>): boolean {
  // A zombie that nobody reaps still takes signals, so where /proc tells more, it decides.
  if (process.platform === 'linux') return scan(sessions).length > 0
  return [...sessions].some((session) => kill(-session, 0))
}

function kill(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    // Windows has no process groups: the program itself is all that can be ended.
    process.kill(process.platform === 'win32' ? Math.abs(pid) : pid, signal)
    return true
  } catch {
    return false
  }
}

/** Living members of these sessions. Shells with job control give each job a group of its own, so groups are not enough. */
function scan(sessions: ReadonlySet<number>): { pid: number; group: number }[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const [state, , group, session] = statOf(name)
      const isMember = state !== 'Z' && sessions.has(Number(session))
      return isMember ? [{ pid: Number(name), group: Number(group) }] : []
    })
}

/** State, parent, group and session: the fields after the name, which may itself hold spaces and brackets (proc(5)). */
function statOf(pid: string): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ', 4)
  } catch {
    return []
  }
}
