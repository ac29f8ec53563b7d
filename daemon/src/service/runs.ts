/** Programs that run under an agent's name: started by the host of programs, fed from the inbox one message at a time. */
import { type Message, nameKey } from '@agent-relay/protocol'
import type { LocalRequest, LocalResults } from '@agent-relay/protocol/local'
import { RELAY_SENDER } from '../core/failure.ts'
import type { Answer } from '../core/turn.ts'
import { fromWire } from '../errors.ts'
import { tokenPath } from '../home/tokens.ts'
import type { Connection } from '../local/connection.ts'
import type { OutboundSend, RunEvents, RunSession } from '../run-host.ts'
import type { Service } from './context.ts'
import { registerAgent } from './names.ts'
import type { Receiver } from './receivers.ts'

type RunRequest = Extract<LocalRequest, { type: 'run' }>

export type Run = { name: string; session: RunSession /** The client went. */; detach(): void }

/** Takes the name and starts the program; its output and end go to the connection as long as that is open. */
export async function startRun(service: Service, connection: Connection, request: RunRequest): Promise<Run> {
  const { name, command, cwd, env, cols, rows, project, repository, model, isDetached } = request
  const [program = ''] = command
  const registered = await registerAgent(service, {
    name,
    project,
    repository,
    model,
    client: program.split('/').at(-1),
  })
  const key = nameKey(registered.name)
  let hasEnded = false
  const events: RunEvents = {
    output: (stream, data) =>
      connection.write(`{"type":"run.output","stream":"${stream}","data":"${data.toString('base64')}"}`),
    exit(code, signal) {
      hasEnded = true
      service.runs.set(key, undefined)
      service.receivers.remove(key, receiver)
      service.presence.remove(key)
      connection.write(JSON.stringify({ type: 'run.exit', code, signal }))
    },
    send: (message) => sendAs(service, key, message),
    status: (status) => service.engine.submit({ type: 'status', agent: key, status }),
  }
  const spec = { name, command, cwd, env, cols, rows, project, repository, model, isDetached }
  // Before the program starts: a name without anybody present is let go of.
  service.presence.add(key)
  const session = begin()
  const receiver = feed(service, key, session)
  service.runs.set(key, session.pid)
  service.receivers.add(key, receiver)

  function begin(): RunSession {
    try {
      return service.runHost.start(
        { ...spec, home: service.paths.home, tokenFile: tokenPath(service.paths, registered.name) },
        events,
      )
    } catch (error) {
      service.presence.remove(key)
      throw error
    }
  }
  return {
    name: registered.name,
    session,
    detach() {
      if (isDetached !== true && !hasEnded) session.end()
    },
  }
}

/** Hands messages over one by one; what the program cannot take any more waits for the agent's next session. */
function feed(service: Service, key: string, session: RunSession): Receiver {
  const waiting: { message: Message; isRepeat: boolean }[] = []
  let isBusy = false
  const next = async (): Promise<void> => {
    isBusy = true
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
      try {
        const state = await handOver(session, item)
        service.mark(key, [item.message.id], state, () => undefined)
      } catch (error) {
        waiting.length = 0
        service.log.info(`a message waits: the program of ${key} took no more`, { error: String(error) })
      }
    }
    isBusy = false
  }
  return {
    take(message, isRepeat) {
      waiting.push({ message, isRepeat })
      if (!isBusy) void next()
    },
  }
}

/** A notice of the relay itself is a line of its own kind, not a message of somebody. */
async function handOver(
  session: RunSession,
  item: { message: Message; isRepeat: boolean },
): Promise<'injected' | 'seen'> {
  if (item.message.from !== RELAY_SENDER) return session.deliver(item.message, item.isRepeat)
  session.notify(item.message.body)
  return 'injected'
}

function sendAs(service: Service, from: string, message: OutboundSend): Promise<LocalResults['send']> {
  return new Promise((resolve, reject) => {
    service.engine.submit({
      type: 'send',
      from,
      ...message,
      sizeBytes: Buffer.byteLength(message.body),
      reply: (answer: Answer) => {
        if (answer.type === 'sent') resolve({ id: answer.id, messages: answer.messages })
        else if (answer.type === 'error') reject(fromWire(answer.error))
      },
    })
  })
}
