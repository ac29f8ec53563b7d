import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/** Whether a process runs. One that ended and was never collected (containers whose pid 1 is no init) does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  if (process.platform !== 'linux') return true
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

/** A pid alone proves nothing: after a reboot, or in a restarted container, it belongs to anybody. */
export function isPostgres(pid: number): boolean {
  if (!isAlive(pid)) return false
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('postgres')
    if (process.platform === 'win32') return true
    return execFileSync('ps', ['-o', 'comm=', '-p', `${pid}`], { encoding: 'utf8' }).includes('postgres')
  } catch {
    return false
  }
}

/** For processes that are not our children, whose end nobody reports. Does not keep this process alive. */
export async function untilGone(pid: number): Promise<void> {
  while (isAlive(pid)) await delay(100, undefined, { ref: false })
}
