/**
 * Ends the hosted programs when the daemon is killed and cannot do it itself: one shell for the whole daemon, which reads their
 * sessions from a pipe. When the pipe ends without `bye`, the daemon is dead.
 */
import { type ChildProcess, spawn } from 'node:child_process'

// Hangs up, waits two seconds, kills. On Linux also jobs in groups of their own: field 4 after the name in /proc/PID/stat.
const script = `
all=' '
while read -r op pid; do
  case $op in
    add) all="$all$pid " ;;
    drop) all="\${all%%" $pid "*} \${all#*" $pid "}" ;;
    bye) exit 0 ;;
  esac
done
end() {
  for session in $all; do kill -s "$1" -- "-$session" 2>/dev/null; done
  for file in /proc/[0-9]*/stat; do
    { read -r line < "$file"; } 2>/dev/null || continue
    pid=\${line%% *}
    set -- "$1" \${line##*) }
    case $all in *" $5 "*) kill -s "$1" "$pid" 2>/dev/null ;; esac
  done
}
end HUP; end CONT; sleep 2; end KILL
`

export type Watchdog = {
  /** From now on this session ends with the daemon. */
  add(session: number): void
  drop(session: number): void
  /** The daemon ends in good order: nothing is left to watch. */
  stop(): void
}

/** Starts its process with the first session; a watchdog that somebody killed is replaced at the next change. */
export function createWatchdog(): Watchdog {
  const sessions = new Set<number>()
  let child: ChildProcess | undefined

  function tell(line: string): void {
    if (process.platform === 'win32') return
    if (!child || child.exitCode !== null || child.signalCode !== null) {
      child = start()
      for (const session of sessions) child.stdin?.write(`add ${session}\n`)
    } else child.stdin?.write(line)
  }

  return {
    add(session) {
      sessions.add(session)
      tell(`add ${session}\n`)
    },
    drop(session) {
      sessions.delete(session)
      tell(`drop ${session}\n`)
    },
    stop() {
      sessions.clear()
      child?.stdin?.end('bye\n')
      child = undefined
    },
  }
}

function start(): ChildProcess {
  // Its own session: what ends the daemon's terminal or group must not end it too.
  const child = spawn('/bin/sh', ['-c', script, 'agent-relay-watchdog'], {
    detached: true,
    cwd: '/',
    env: { PATH: '/usr/bin:/bin' } as unknown as NodeJS.ProcessEnv,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  child.stdin?.on('error', () => {})
  child.on('error', () => {})
  child.unref()
  ;(child.stdin as { unref?: () => void } | null)?.unref?.()
  return child
}
