/** One connection's conversation with the daemon: who it speaks as, and every request answered exactly once. */
import { type Message, nameKey } from '@agent-relay/protocol'
import type { LocalRequest } from '@agent-relay/protocol/local'
import { selfId, selfName, selfPerson } from '../core/state.ts'
import type { Answer } from '../core/turn.ts'
import { fromWire, RelayError } from '../errors.ts'
import type { Connection } from '../local/connection.ts'
import type { Proof, Session } from '../local/server.ts'
import { point } from '../points.ts'
import type { StoredMessage } from '../store/reader.ts'
import { channelViews, peopleViews } from './channel-views.ts'
import type { Service } from './context.ts'
import { damageNotice } from './damage.ts'
import { dropDead, listDead, retryDead } from './dead.ts'
import { findMessage } from './find-message.ts'
import { listHistory, readMessage } from './history.ts'
import { registerAgent, registerPerson } from './names.ts'
import { pingByName } from './ping.ts'
import type { Receiver } from './receivers.ts'
import { type Run, startRun } from './runs.ts'
import { provedAgent } from './tokens.ts'
import { agentViews, inboxEntry, traceView } from './views.ts'

type Request<T extends LocalRequest['type']> = Extract<LocalRequest, { type: T }>

/** Opens a session; with a proof it speaks as that agent from the start. */
export function openSession(service: Service, connection: Connection, proof: Proof | undefined): Session {
  let agent = proof === undefined ? null : provedAgent(service.engine.state(), proof)
  let receiver: Receiver | undefined
  let run: Run | undefined
  let hasPresence = false
  let isClosed = false

  const handlers: { [T in LocalRequest['type']]: (request: Request<T>) => void | Promise<void> } = {
    async register(request) {
      const registered = await registerAgent(service, request)
      speakAs(nameKey(registered.name))
      connection.ok(request.id, registered)
    },
    async send(request) {
      const from = agent ?? (await registerPerson(service))
      submitSend(request, from)
    },
    wait(request) {
      service.wait(request.ids, request.state, request.timeoutMs, (result) => connection.ok(request.id, result))
    },
    async subscribe(request) {
      const key = agent ?? (await registerPerson(service))
      const waiting = service.engine.state().agents.get(key)?.waiting.size ?? 0
      connection.ok(request.id, { waiting })
      if (receiver !== undefined) return
      receiver = { take: push }
      service.receivers.add(key, receiver)
      agent = key
    },
    async mark(request) {
      const key = agent ?? (await registerPerson(service))
      service.mark(key, request.ids, request.state, (answer) => {
        if (answer.type === 'error') connection.fail(request.id, fromWire(answer.error))
        else if (answer.type === 'marked') connection.ok(request.id, { marked: answer.marked })
      })
    },
    async inbox(request) {
      const key = request.agent !== undefined ? nameKey(request.agent) : (agent ?? (await registerPerson(service)))
      const isOwn = agent === key || request.agent === undefined
      readInbox(request, key, request.markSeen ?? isOwn)
    },
    async history(request) {
      connection.ok(request.id, await listHistory(service, request, agent))
    },
    async read(request) {
      connection.ok(request.id, await readMessage(service, request, agent))
    },
    async dead(request) {
      connection.ok(request.id, await listDead(service, request, agent))
    },
    async 'dead.retry'(request) {
      connection.ok(request.id, await retryDead(service, request, agent))
    },
    async 'dead.drop'(request) {
      connection.ok(request.id, await dropDead(service, request, agent))
    },
    agents(request) {
      const state = service.engine.state()
      connection.ok(request.id, { agents: agentViews(state), people: peopleViews(state) })
    },
    whoami(request) {
      const state = service.engine.state()
      const name = agent === null ? service.personName() : (state.agents.get(agent)?.name ?? null)
      connection.ok(request.id, {
        agent: name,
        machine: selfName(state),
        machineId: selfId(state),
        org: state.identity?.org.slug ?? null,
        person: selfPerson(state),
      })
    },
    status(request) {
      connection.ok(request.id, service.status())
    },
    trace(request) {
      service.engine.afterCommit(() =>
        answered(request.id, () =>
          connection.ok(
            request.id,
            traceView(service.engine.state(), findMessage(service, request.message), service.peering.views()),
          ),
        ),
      )
    },
    async ping(request) {
      connection.ok(
        request.id,
        await pingByName(
          { state: service.engine.state, peering: service.peering, now: service.engine.now },
          request.name,
        ),
      )
    },
    async netcheck(request) {
      connection.ok(request.id, await service.netcheck())
    },
    async run(request) {
      if (run !== undefined)
        throw new RelayError('CONFLICT', 'This connection already runs a program: open another one.')
      run = await startRun(service, connection, request)
      connection.ok(request.id, { name: run.name, pid: run.session.pid })
    },
    async 'run.input'(request) {
      await running().input(Buffer.from(request.data, 'base64'), request.isEnd === true)
      connection.ok(request.id, { done: true })
    },
    'run.ack'(request) {
      running().ack(request.bytes)
      connection.ok(request.id, { done: true })
    },
    'run.resize'(request) {
      running().resize(request.cols, request.rows)
      connection.ok(request.id, { done: true })
    },
    'run.signal'(request) {
      running().signal(request.signal)
      connection.ok(request.id, { done: true })
    },
    channels(request) {
      connection.ok(request.id, { channels: channelViews(service.engine.state()) })
    },
    async 'channel.join'(request) {
      const name = memberName(request)
      const joined = await service.channels().joinChannel({ agent: name, channel: request.channel })
      connection.ok(request.id, { ...joined, agent: name })
    },
    async 'channel.leave'(request) {
      const name = memberName(request)
      const left = await service.channels().leaveChannel({ agent: name, channel: request.channel })
      connection.ok(request.id, { ...left, agent: name })
    },
    async 'channel.history'({ id, channel, before, limit }) {
      connection.ok(id, await service.channels().channelHistory({ channel, before, limit }))
    },
    async reload(request) {
      await service.reload()
      connection.ok(request.id, { done: true })
    },
    shutdown(request) {
      connection.ok(request.id, { done: true })
      service.shutdown()
    },
  }

  function submitSend(request: Request<'send'>, from: string): void {
    service.engine.submit({
      type: 'send',
      at: service.engine.now(),
      from,
      to: request.to,
      body: request.body,
      sizeBytes: Buffer.byteLength(request.body),
      thread: request.thread,
      replyTo: request.replyTo,
      ttlMs: request.ttlMs,
      reply: (answer: Answer) => {
        if (answer.type === 'error') connection.fail(request.id, fromWire(answer.error))
        else if (answer.type === 'sent') connection.ok(request.id, { id: answer.id, messages: answer.messages })
      },
    })
  }

  function push(message: Message, isRepeat: boolean): void {
    point('agent.push')
    connection.write(`{"type":"deliver","message":${JSON.stringify(message)},"redelivered":${isRepeat}}`)
  }

  function speakAs(key: string): void {
    if (hasPresence && agent !== null && agent !== key) service.presence.remove(agent)
    if (!hasPresence || agent !== key) service.presence.add(key)
    hasPresence = true
    agent = key
    // The connection went while the name was asked for: nobody is there to hold it.
    if (isClosed) service.presence.remove(key)
  }

  /** The agent of this machine that joins or leaves: whoever asks, or the one that is named. */
  function memberName(request: { agent?: string | undefined }): string {
    const key = request.agent === undefined ? agent : nameKey(request.agent)
    const known = key === null ? undefined : service.engine.state().agents.get(key)
    if (known !== undefined && !known.isPerson) return known.name
    if (request.agent !== undefined) throw unknownHere(request.agent)
    throw new RelayError(
      'BAD_REQUEST',
      'Agents join channels here and people in the dashboard: say which agent of this machine, as in agent-relay join CHANNEL --as NAME',
    )
  }

  function running() {
    if (run === undefined) throw new RelayError('NOT_FOUND', 'This connection runs no program: ask for run first.')
    return run.session
  }

  function readInbox(request: Request<'inbox'>, key: string, isMarked: boolean): void {
    service.engine.afterCommit(() =>
      answered(request.id, () => {
        const state = service.engine.state()
        const known = state.agents.get(key)
        if (known === undefined) throw unknownHere(request.agent ?? key)
        const rows = inboxRows(service, key, request, known.waiting.values().next().value?.n)
        const notice = damageNotice(service.store)
        connection.ok(request.id, {
          agent: known.name,
          entries: rows.map((row) => inboxEntry(state, row)),
          ...(notice !== undefined && { notice }),
        })
        const unseen = rows.filter((row) => row.state !== 'seen').map((row) => row.id)
        if (isMarked && unseen.length > 0) service.mark(key, unseen, 'seen', () => undefined)
      }),
    )
  }

  function answered(id: number, then: () => void): void {
    try {
      then()
    } catch (error) {
      failed(id, error)
    }
  }

  function failed(id: number, error: unknown): void {
    if (!(error instanceof RelayError)) service.log.error('a request failed', { error })
    connection.fail(id, error)
  }

  return {
    get agent() {
      return agent === null ? null : (service.engine.state().agents.get(agent)?.name ?? null)
    },
    handle(request) {
      // Sends of an agent come by the thousand: no promise for them.
      if (request.type === 'send' && agent !== null) {
        submitSend(request, agent)
        return
      }
      const handler = handlers[request.type] as (request: LocalRequest) => void | Promise<void>
      handler(request)?.catch((error: unknown) => failed(request.id, error))
    },
    closed() {
      isClosed = true
      if (receiver !== undefined && agent !== null) service.receivers.remove(agent, receiver)
      if (hasPresence && agent !== null) service.presence.remove(agent)
      run?.detach()
    },
  }
}

function inboxRows(
  service: Service,
  key: string,
  request: Request<'inbox'>,
  firstWaiting: number | undefined,
): StoredMessage[] {
  const { read } = service.store
  const limit = request.limit ?? 50
  if (request.after === undefined)
    return read.inbox(key, { limit, ...(firstWaiting !== undefined && { from: firstWaiting }) })
  const header = read.inHeader(request.after, key)
  if (header === undefined)
    throw new RelayError('NOT_FOUND', `No message ${request.after} is in this inbox: ask without "after".`)
  return read.inbox(key, { after: header.n, limit })
}

const unknownHere = (name: string): RelayError =>
  new RelayError(
    'NOT_FOUND',
    `No agent ${JSON.stringify(name)} is registered on this machine: see agent-relay agents for where it is.`,
  )
