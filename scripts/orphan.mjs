// Plain JavaScript: bootstrap.mjs needs it before anything is installed.
import { readFileSync } from 'node:fs'

/**
 * Calls `told` once when the npm that runs this script is gone: killed, it tells nobody, and the shell that it put between
 * stays. Outside of npm nobody is watched, so that a script may outlive its terminal.
 * @param {() => void} told
 */
export function whenOrphaned(told) {
  if (!process.env.npm_lifecycle_event) return
  const start = ancestors()
  const timer = setInterval(() => {
    if (ancestors() === start) return
    clearInterval(timer)
    told()
  }, 1_000)
  timer.unref()
}

/** Parent and, where /proc shows it, the parent's parent. */
function ancestors() {
  try {
    const stat = readFileSync(`/proc/${process.ppid}/stat`, 'utf8')
    return `${process.ppid} ${stat.slice(stat.lastIndexOf(')')).split(' ')[2]}`
  } catch {
    return `${process.ppid}`
  }
}
