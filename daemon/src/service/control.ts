/** The daemon's side of the link to the control plane: reads to what the home is linked, carries effects out and events in. */
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { AgentClaim, ClaimResult, Envelope, Roster } from '@agent-relay/protocol'
import type { ControlLink } from '../cloud/control-link.ts'
import { claimsOf } from '../core/agents.ts'
import { rosterOf } from '../core/roster.ts'
import type { CoreEvent, Effect, Outgoing } from '../core/turn.ts'
import { RelayError, toWire } from '../errors.ts'
import { type Link, readConfig } from '../home/config.ts'
import { readIdentity } from '../home/identity.ts'
import type { HomePaths } from '../home/paths.ts'
import type { Log } from '../log.ts'
import { point } from '../points.ts'
import type { Store } from '../store/store.ts'
import type { Engine } from './engine.ts'
import { createTraces } from './traces.ts'

export type Control = {
  /** Reads the configuration and connects, or disconnects, as it says. Throws a RelayError that names a broken file. */
  load(): Promise<void>
  outward(effect: Effect): void
  /** Says again what the core lost with a turn that failed. */
  restore(): void
  /** Lets go of all names, for what ran under them has ended; takes no new ones from here on. */
  leave(): Promise<void>
  link(): Link | null
  view(): {
    state: 'unlinked' | 'connecting' | 'connected' | 'waiting' | 'refused'
    latencyMs: number | null
    reason: string | null
  }
  stop(): void
}

/** A stop waits no longer than this for the control plane to hear that the names are free. */
const LEAVE_MS = 2_000

type Options = { paths: HomePaths; store: Store; log: Log; version: string; engine: () => Engine }

export function createControl({ paths, store, log, version, engine }: Options): Control {
  const bootId = randomUUID()
  let link: Link | null = null
  let control: ControlLink | undefined
  let isUp = false
  let isLeaving = false
  /** Why there is a link and yet nothing that could connect. */
  let trouble: string | null = null
  const submit = (event: CoreEvent): void => engine().submit(event)
  let traces: ReturnType<typeof createTraces> | undefined

  /** Loaded when there is a link: the socket library costs a start more than everything else. */
  async function connect(to: Link): Promise<ControlLink> {
    const identity = readIdentity(paths)
    if (identity === undefined)
      throw new RelayError('NOT_LINKED', `${paths.identity} is missing: run agent-relay unlink, then agent-relay link`)
    const { createControlLink } = await import('../cloud/control-link.ts')
    const opened = createControlLink({
      url: to.url,
      key: to.key,
      identity,
      version,
      bootId,
      isInsecureAllowed: to.isInsecure,
      // After the turn that knows of the connection: whatever is registered later asks for its name by itself.
      agents: () => new Promise((resolve) => engine().afterCommit(() => resolve(claimsOf(engine().state())))),
      on: {
        up(welcome) {
          isUp = true
          log.info(`connected to ${to.url}`, { machine: welcome.machine.name, org: welcome.roster.org.slug })
          submit({
            type: 'linked',
            identity: { machine: welcome.machine, org: welcome.roster.org, person: welcome.person },
          })
          submit({ type: 'up', roster: welcome.roster })
        },
        down(reason) {
          log.warn(`not connected to ${to.url}`, { reason: reason.message })
          lost()
        },
        delta: (delta) => submit({ type: 'delta', delta }),
        roster: (roster) => submit({ type: 'roster', roster }),
        deliver(envelopes) {
          point('deliver.received')
          submit({ type: 'deliver', envelopes })
        },
        returned(returned) {
          point('return.received')
          const failed = returned.batch.receipts.filter((receipt) => receipt.state === 'failed')
          const known = failed.flatMap((receipt) => store.read.outHeader(receipt.id) ?? [])
          submit({ type: 'returned', returned, known })
        },
        claims: (results) => submit({ type: 'claims', results }),
        refused(error) {
          log.error(`the control plane refuses this machine: ${error.message}`)
          lost()
        },
      },
    })
    return opened
  }

  function lost(): void {
    if (isUp) submit({ type: 'down' })
    isUp = false
  }

  function relay(messages: Outgoing[]): void {
    const to = control
    if (to === undefined || link === null) return
    const envelopes = messages.flatMap((message) => envelopeOf(message, link as Link) ?? [])
    if (envelopes.length === 0) return
    const ids = envelopes.map((envelope) => envelope.id)
    to.relay(envelopes).then(
      (results) => submit({ type: 'relayed', ids, results }),
      // Unknown what became of them: the core's clock sends them again.
      (error) => log.debug('a batch was not taken by the relay', { reason: String(error) }),
    )
  }

  function envelopeOf(message: Outgoing, { org }: Link): Envelope | undefined {
    const row = message.n > 0 ? engine().take(message.n) : undefined
    if (row === undefined && !message.isVoid) return undefined
    const state = engine().state()
    const sender = state.agents.get(message.fromKey)
    const { outboxEpoch } = state
    return {
      v: 1,
      id: row?.id ?? randomUUID(),
      org: org.id,
      from: {
        machine: selfOf(state.identity?.machine.id),
        agent: sender?.name ?? message.fromKey,
        epoch: message.epoch,
      },
      to: {
        machine: message.machine,
        agent: row?.toAgent ?? message.toKey,
        ...(row?.project != null && { project: row.project }),
        ...(row?.via != null && { via: row.via }),
      },
      ...(row?.thread != null && { thread: row.thread }),
      ...(row?.replyTo != null && { replyTo: row.replyTo }),
      stream: message.stream,
      outboxEpoch,
      seq: message.seq,
      ttlMs: message.ttlMs,
      priority: 1,
      ts: row?.ts ?? Math.floor(engine().now()),
      trace: row?.trace ?? row?.id ?? message.stream.slice(0, 64),
      body: message.isVoid ? '' : (row?.body ?? ''),
      ...(message.isVoid && { isVoid: true as const }),
    }
  }

  const selfOf = (id: string | undefined): string => id ?? link?.machine.id ?? ''

  const claim = (to: ControlLink, agent: AgentClaim): void => {
    to.claim(agent).then(
      (result: ClaimResult) => submit({ type: 'claims', results: [result] }),
      (error) => log.warn(`the name ${agent.name} could not be claimed`, { reason: String(error) }),
    )
  }

  return {
    async load() {
      const { link: wanted } = readConfig(paths)
      const isSame = JSON.stringify(wanted) === JSON.stringify(link)
      if (isSame && control !== undefined) return
      control?.stop()
      control = undefined
      traces?.stop()
      lost()
      link = wanted
      trouble = null
      submit({
        type: 'linked',
        identity: wanted === null ? null : { machine: wanted.machine, org: wanted.org, person: wanted.person },
      })
      if (wanted === null) return
      const opened = await connect(wanted).catch((error: unknown) => {
        trouble = toWire(error).message
        throw error
      })
      // Another load may have come while this one waited.
      if (link !== wanted) return
      control = opened
      traces = createTraces(engine(), store, log, (reports) => {
        opened
          .traces(reports)
          .catch((error: unknown) =>
            log.warn(`${reports.length} reports did not get to the dashboard`, { reason: String(error) }),
          )
      })
      opened.start()
    },
    outward(effect) {
      if (control === undefined) return
      switch (effect.type) {
        case 'relay':
          relay(effect.messages)
          break
        case 'return':
          // What does not get through is said again when the sender asks again.
          control.giveBack(effect.batch).catch(() => undefined)
          break
        case 'claim':
          if (!isLeaving) claim(control, effect.agent)
          break
        case 'status':
          control.setStatus([{ name: effect.name, epoch: effect.epoch, status: effect.status }]).catch(() => undefined)
          break
        case 'release':
          // Without an answer the name frees with the lease, or at the next connection, which does not ask for it.
          control.release(effect.name).catch(() => undefined)
          break
        case 'progress':
          if (isUp) traces?.note(effect.id)
          break
      }
    },
    restore() {
      const to = control
      const state = engine().state()
      if (to === undefined || !isUp || state.roster === null) return
      const roster: Roster = rosterOf(state.roster)
      submit({ type: 'up', roster })
      for (const agent of claimsOf(state)) claim(to, agent)
    },
    async leave() {
      isLeaving = true
      if (control === undefined || !isUp) return
      const late = new AbortController()
      await Promise.race([
        control
          .leave()
          .catch((error: unknown) =>
            log.warn('the names of this machine free only when its lease runs out', { reason: String(error) }),
          ),
        pause(LEAVE_MS, undefined, { signal: late.signal }).catch(() => undefined),
      ])
      late.abort()
    },
    link: () => link,
    view() {
      if (control === undefined)
        return {
          state: link === null ? 'unlinked' : trouble === null ? 'connecting' : 'refused',
          latencyMs: null,
          reason: trouble,
        }
      const { state, reason } = control.state()
      return { state: state === 'stopped' ? 'waiting' : state, latencyMs: control.latencyMs(), reason }
    },
    stop() {
      traces?.stop()
      control?.stop()
    },
  }
}
