/** The door of this folder: starts programs under agents' names, ties each to its adapter, and ends them all with the daemon. */
import { RelayError } from '../errors.ts'
import type { OutboundSend, RunEvents, RunHost, RunSession, RunSpec } from '../run-host.ts'
import type { Adapter } from './adapter.ts'
import { findCommand } from './find-command.ts'
import { lineClient } from './line-adapter.ts'
import { startOnPipes } from './pipe-program.ts'
import type { Program, ProgramEvents } from './program.ts'
import { startInTerminal } from './pty-program.ts'
import { createRefusals } from './refusals.ts'
import type { RelayEvent } from './relay-reader.ts'
import { screenClient } from './screen-adapter.ts'
import { sessionsEnded, signalSessions } from './session-processes.ts'
import { createWatchdog, type Watchdog } from './watchdog.ts'

/** After the hang-up, what is left is killed. */
const GRACE_MS = 2000
/** What a program leaves behind when it ends by itself gets less: nobody is saving work there. */
const LEFTOVER_GRACE_MS = 500
/** Gone means gone: how long a killed process may take. */
const KILL_MS = 1000
/** Output that its client has not taken yet: at the first figure the program is held, at the second it goes on. */
const HOLD_BYTES = 1024 * 1024
const RESUME_BYTES = 256 * 1024
/** Sends of one program that are not on disk yet. */
const MAX_OPEN_SENDS = 256

/** Most specific first; the last one takes everything. */
const clients = [screenClient, lineClient] as const

export function createRunHost(): RunHost {
  const watchdog = createWatchdog()
  const sessions = new Set<HostedSession>()
  let isStopping = false
  return {
    start(spec, events) {
      const session = startSession(spec, events, {
        watchdog,
        // The stop looks after all at once: a look at every process for every program made 500 of them take 12 s.
        isStopping: () => isStopping,
        onEnd: () => sessions.delete(session),
      })
      sessions.add(session)
      return session
    },
    async stop() {
      isStopping = true
      const all = [...sessions]
      const pids = new Set(all.map((session) => session.pid))
      signalSessions(pids, 'SIGHUP')
      signalSessions(pids, 'SIGCONT')
      if (!(await sessionsEnded(pids, GRACE_MS))) {
        signalSessions(pids, 'SIGKILL')
        await sessionsEnded(pids, KILL_MS)
      }
      await Promise.all(all.map((session) => session.ended))
      watchdog.stop()
    },
  }
}

type HostedSession = RunSession & { ended: Promise<void> }
type Surroundings = { watchdog: Watchdog; isStopping: () => boolean; onEnd: () => void }

function startSession(spec: RunSpec, events: RunEvents, around: Surroundings): HostedSession {
  const [command = '', ...args] = spec.command
  const env = environmentOf(spec)
  const file = findCommand(command, spec.cwd, env.PATH)
  const flow = createFlow(spec.isDetached === true)
  let adapter: Adapter | undefined
  let isEnding = false
  let finish: () => void = () => {}
  const ended = new Promise<void>((resolve) => {
    finish = resolve
  })

  const programEvents: ProgramEvents = {
    output(stream, data) {
      flow.printed(data.length)
      events.output(stream, data)
      if (stream === 'stdout') adapter?.output(data)
    },
    async exit(code, signal) {
      adapter?.end()
      if (!around.isStopping()) await endLeftovers(program)
      around.watchdog.drop(program.pid)
      around.onEnd()
      events.exit(code, signal)
      finish()
    },
  }
  const order = { file, args, cwd: spec.cwd, env }
  const { cols, rows } = spec
  const program =
    cols !== undefined && rows !== undefined
      ? startInTerminal(order, { cols, rows }, programEvents)
      : startOnPipes(order, programEvents)
  around.watchdog.add(program.pid)
  flow.attach(program)

  const refusals = createRefusals((line) => adapter?.notify(line))
  const said = (event: RelayEvent): void => {
    if (event.kind === 'refused') {
      refusals.tell(`not sent to ${event.to}: ${event.reason}`)
      return
    }
    const { kind: _, to, ...message } = event
    flow.sending(1)
    events
      .send({ to, ...message } satisfies OutboundSend)
      .catch((error: unknown) => refusals.tell(`not sent to ${to}: ${sentence(error)}`))
      .finally(() => flow.sending(-1))
  }
  const kind = clients.find((client) => client.detect(spec.command)) ?? lineClient
  adapter = kind.attach(program, said)
  events.status(adapter.state())

  function end(): void {
    if (isEnding) return
    isEnding = true
    const self = new Set([program.pid])
    signalSessions(self, 'SIGHUP')
    signalSessions(self, 'SIGCONT')
    void sessionsEnded(self, GRACE_MS).then((isGone) => isGone || signalSessions(self, 'SIGKILL'))
  }

  return {
    pid: program.pid,
    ended,
    end,
    async input(data, isEnd) {
      adapter?.typed(data)
      if (data.length > 0) await program.write(data)
      if (isEnd) await program.endInput()
    },
    ack: flow.taken,
    resize: program.resize,
    signal: (signal) => signalSessions(new Set([program.pid]), signal),
    deliver: async (message, isRepeat) => {
      if (!adapter) throw new RelayError('UNAVAILABLE', 'The program has not started yet.')
      return (await adapter.deliver([{ message, isRepeat }])).state
    },
    notify: refusals.tell,
  }
}

/** The program's own environment, with who it is. Secrets stay out: the token is in a file, and the machine's key is not its business. */
function environmentOf(spec: RunSpec): Record<string, string> {
  const { AGENT_RELAY_KEY: _, ...env } = spec.env
  return { ...env, AGENT_RELAY_NAME: spec.name, AGENT_RELAY_HOME: spec.home, AGENT_RELAY_TOKEN_FILE: spec.tokenFile }
}

async function endLeftovers(program: Program): Promise<void> {
  const self = new Set([program.pid])
  if (await sessionsEnded(self, 0)) return
  signalSessions(self, 'SIGHUP')
  signalSessions(self, 'SIGTERM')
  if (await sessionsEnded(self, LEFTOVER_GRACE_MS)) return
  signalSessions(self, 'SIGKILL')
  await sessionsEnded(self, KILL_MS)
}

/** Holds the program back while its client or the outbox lags behind it. */
function createFlow(isDetached: boolean) {
  let program: Program | undefined
  let unread = 0
  let openSends = 0
  let isHeld = false

  function adjust(): void {
    const isOver = unread > HOLD_BYTES || openSends > MAX_OPEN_SENDS
    const isUnder = unread <= RESUME_BYTES && openSends <= MAX_OPEN_SENDS / 2
    if (!isHeld && isOver) program?.pause()
    if (isHeld && isUnder) program?.resume()
    if (isOver) isHeld = true
    else if (isUnder) isHeld = false
  }

  return {
    attach(started: Program) {
      program = started
    },
    printed(bytes: number) {
      if (isDetached) return
      unread += bytes
      adjust()
    },
    taken(bytes: number) {
      unread = Math.max(0, unread - bytes)
      adjust()
    },
    sending(change: 1 | -1) {
      openSends += change
      adjust()
    },
  }
}

function sentence(error: unknown): string {
  if (error instanceof RelayError) return error.message
  return 'the daemon failed on it; agent-relay logs has the reason'
}
