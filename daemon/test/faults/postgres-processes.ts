import { execFileSync } from 'node:child_process'

/** Stops or continues a postmaster and all its backends, which are in groups of their own. */
export function signalPostgres(postmaster: number, signal: 'SIGSTOP' | 'SIGCONT'): void {
  const listed = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
  const backends = listed
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([pid = 0, parent]) => (parent === postmaster ? [pid] : []))
  // The parent first when stopping, so that it starts no other meanwhile.
  for (const pid of [postmaster, ...backends])
    try {
      process.kill(pid, signal)
    } catch (error) {
      // A backend that ended meanwhile.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
}
