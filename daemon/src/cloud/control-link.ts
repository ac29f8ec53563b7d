/**
 * The daemon's line to the control plane, for as long as the daemon runs: connects, proves the machine, keeps names claimed
 * and the roster current, carries batches, and comes back by itself. Every promise that it gives settles.
 */
import {
  type AgentClaim,
  type AgentStatusChange,
  type ChannelHistory,
  type ChannelHistoryQuery,
  type ChannelJoined,
  type ChannelLeft,
  type ChannelMembership,
  type ClaimResult,
  CONTROL_VERSION,
  Envelope,
  isPlainEnvelope,
  type LinkReport,
  MAX_BATCH,
  type MachineEvents,
  machineFrames,
  OLDEST_CONTROL_VERSION,
  type ReachAnswer,
  type RelayResult,
  type ReturnBatch,
  Returned,
  type Roster,
  type RosterDelta,
  returnIn,
  type SealKey,
  SignalIn,
  type SignalOut,
  type TraceReport,
  type Welcome,
} from '@agent-relay/protocol'
import type { z } from 'zod'
import { RelayError } from '../errors.ts'
import type { Identity } from '../home/identity.ts'
import { point } from '../points.ts'
import { backoffMs } from './backoff.ts'
import { relayQueue, returnQueue } from './batches.ts'
import { type Clock, systemClock } from './clock.ts'
import { rosterFollower } from './roster-follower.ts'
import { downgraded, type RosterTrust, rosterReader, SIGNED_SINCE } from './roster-trust.ts'
import { openSession, type Session } from './session.ts'
import { nonsense } from './trouble.ts'
import { controlOrigin } from './url.ts'

/** A connection that lived this long was a good one: the next wait starts small again. */
const STEADY_MS = 10_000

/** Trying again cannot help; a person must act. UNTRUSTED is none of them: the operator may put right what was wrong. */
const final = new Set(['KEY_INVALID', 'KEY_REVOKED', 'IDENTITY_MISMATCH', 'CLONED'])

type ControlHandlers = {
  up(welcome: Welcome): void
  /** The line is down, in a sentence; it is tried again by itself. Also called for each failed try. */
  down(reason: RelayError): void
  /** A change of exactly the roster that was given last. */
  delta(delta: RosterDelta): void
  /** A whole roster, after changes were missed. */
  roster(roster: Roster): void
  /** Envelopes for this machine, each checked against its schema. Answer with giveBack() after the commit. */
  deliver(envelopes: Envelope[]): void
  returned(returned: Returned): void
  /** The roster that was given last was the newest at `at`, ms since 1970 on the control plane's clock; signed since version 3. */
  fresh(at: number): void
  /** From another machine; still sealed. */
  signal(signal: SignalIn): void
  /** What became of every name of `agents()` after a connect. */
  claims(results: ClaimResult[]): void
  /** The control plane refuses this machine for good: no more tries until the home is linked anew. */
  refused(error: RelayError): void
  /** The control plane sent an event that this version does not know; it was passed over. */
  unknown(event: string): void
}

export type ControlLinkOptions = {
  url: string
  /** The machine key. */
  key: string
  identity: Identity
  version: string
  /** A UUID of this run of the daemon. */
  bootId: string
  /** Which rosters are believed. */
  trust: RosterTrust
  /** The keys to which this machine's messages are sealed, newest first; asked for at each connect. */
  seals(): SealKey[]
  /** All names of this machine, asked for after each connect. */
  agents(): AgentClaim[] | Promise<AgentClaim[]>
  on: ControlHandlers
  isInsecureAllowed?: boolean | undefined
  clock?: Clock
  random?: () => number
}

type ControlState = {
  state: 'connecting' | 'connected' | 'waiting' | 'refused' | 'stopped'
  /** Why it is not connected, and what to do; null while connected. */
  reason: string | null
}

export type ControlLink = {
  start(): void
  /** Sends what waits and closes. */
  stop(): void
  /**
   * Hands envelopes to the relay, gathered with others of the same tick; one result each, in their order.
   * Rejects with a RelayError (NOT_CONNECTED, TIMEOUT, …) when it is unknown what became of them: send them again later.
   */
  relay(envelopes: Envelope[]): Promise<RelayResult[]>
  /** Sends acknowledgements, gaps and receipts towards the senders; rejects like relay(). */
  giveBack(batch: ReturnBatch): Promise<void>
  claim(agent: AgentClaim): Promise<ClaimResult>
  setStatus(changes: AgentStatusChange[]): Promise<void>
  release(name: string): Promise<void>
  /** Releases every name of this machine. */
  leave(): Promise<void>
  traces(reports: TraceReport[]): Promise<void>
  /** Each rejects with the control plane's own error, or NOT_CONNECTED. */
  joinChannel(wanted: ChannelMembership): Promise<ChannelJoined>
  leaveChannel(wanted: ChannelMembership): Promise<ChannelLeft>
  channelHistory(query: ChannelHistoryQuery): Promise<ChannelHistory>
  /**
   * Since version 3, and VERSION_UNSUPPORTED from an older control plane. To another machine, by way of its control socket:
   * NOT_CONNECTED also when that is not there.
   */
  signal(out: SignalOut): Promise<void>
  /** Replaces the keys that were told at the connect; newest first. */
  putSeals(seals: SealKey[]): Promise<void>
  /** What changed, or with `isWhole` all there is; any number. */
  reportLinks(links: LinkReport[], isWhole: boolean): Promise<void>
  /** Whether a caller from outside reaches this machine at the address that the control plane sees, on this port. */
  checkReach(port: number): Promise<ReachAnswer>
  /** The network changed, or this machine slept: what is silent now is given up soon, and what waits is tried at once. */
  nudge(): void
  /** Another machine holds this version: asked for when it is newer, though not often. */
  behind(version: number): void
  state(): ControlState
  /** Round trip of the last heartbeat in ms; null while not connected. */
  latencyMs(): number | null
}

/** Throws BAD_REQUEST when the URL may not be used; connects only after start(). */
export function createControlLink(options: ControlLinkOptions): ControlLink {
  const { on, clock = systemClock, random = Math.random } = options
  const url = controlOrigin(options.url, options)
  let session: Session | undefined
  let isUp = false
  let state: ControlState = { state: 'stopped', reason: 'Not started.' }
  let speaks = CONTROL_VERSION
  let attempt = 0
  let cancelRetry = (): void => undefined

  const ask: Session['request'] = (event, input) =>
    session === undefined || !isUp
      ? Promise.reject(new RelayError('NOT_CONNECTED', state.reason ?? `Not connected to ${url}.`))
      : session.request(event, input)
  const relays = relayQueue(async (envelopes) => {
    const answer = ask('relay', { envelopes })
    point('relay.handed')
    return read('relay', await answer).results
  })
  const returns = returnQueue(async (batch) => {
    const known = returnIn(speaks, batch)
    if (known !== undefined) await ask('return', known)
  })
  const trust = rosterReader(url, options.trust)
  const follower = rosterFollower({
    fetch: () => ask('roster.get', {}),
    readRoster: (value) => trust.roster(value, speaks),
    readDelta: (frame) => trust.delta(frame, speaks),
    onDelta(delta) {
      trust.took(delta.version)
      on.delta(delta)
    },
    onRoster: on.roster,
    onFresh: on.fresh,
    onBroken: (error) => session?.end(error instanceof RelayError ? error : nonsense(url, 'roster')),
    clock,
  })

  function read<E extends keyof MachineEvents>(event: E, value: unknown): z.infer<(typeof machineFrames)[E]['value']> {
    const parsed = machineFrames[event].value.safeParse(value)
    if (!parsed.success) throw nonsense(url, event)
    return parsed.data as z.infer<(typeof machineFrames)[E]['value']>
  }

  /** Asks for the newest version, and at once for the one before when the server is older: remembered for this connection only. */
  function connect(version = CONTROL_VERSION): void {
    state = { state: 'connecting', reason: state.reason }
    let upAt: number | undefined
    const opened: Session = openSession({
      ...options,
      url,
      clock,
      trust,
      speaks: version,
      onUnknown: (event) => on.unknown(event),
      onUp(welcome) {
        upAt = clock.now()
        isUp = true
        speaks = version
        state = { state: 'connected', reason: null }
        follower.reset(welcome.roster.version)
        on.up(welcome)
        sync(opened)
      },
      onEcho: heard,
      onEnd(error) {
        session = undefined
        isUp = false
        relays.clear(error)
        returns.clear(error)
        follower.reset(undefined)
        if (state.state === 'stopped') return
        if (error.code === 'VERSION_UNSUPPORTED' && upAt === undefined) {
          if (trust.isPinned() && version <= SIGNED_SINCE) return settleEnd(downgraded(url))
          if (version > OLDEST_CONTROL_VERSION) return connect(version - 1)
          return settleEnd(unsupported(url, options.version))
        }
        if (upAt !== undefined && clock.now() - upAt >= STEADY_MS) attempt = 0
        settleEnd(error)
      },
      onPush(event, frame) {
        if (event === 'roster') follower.push(frame)
        else if (event === 'deliver') deliver(frame)
        else if (event === 'returned') giveReturned(frame)
        else if (speaks >= SIGNED_SINCE) giveSignal(frame)
      },
    })
    session = opened
  }

  function settleEnd(error: RelayError): void {
    if (final.has(error.code)) {
      state = { state: 'refused', reason: error.message }
      on.refused(error)
      return
    }
    state = { state: 'waiting', reason: error.message }
    cancelRetry = clock.after(backoffMs(attempt++, random), () => connect())
    on.down(error)
  }

  function sync(current: Session): void {
    Promise.resolve(options.agents())
      .then((agents) => current.request('agents.sync', { agents }))
      .then((value) => on.claims(read('agents.sync', value).results))
      .catch((error) => current.end(error instanceof RelayError ? error : nonsense(url, 'agents.sync')))
  }

  function deliver(frame: unknown): void {
    const batch = (frame as { envelopes?: unknown } | null)?.envelopes
    if (!Array.isArray(batch)) return
    const good: Envelope[] = []
    for (const one of batch) {
      if (isPlainEnvelope(one)) {
        good.push(one)
        continue
      }
      const envelope = Envelope.safeParse(one)
      // One unreadable envelope must not keep the others of its batch; unacknowledged, it stays with its sender.
      if (envelope.success) good.push(envelope.data)
    }
    if (good.length > 0) on.deliver(good)
  }

  function giveReturned(frame: unknown): void {
    const returned = Returned.safeParse(frame)
    if (returned.success) on.returned(returned.data)
  }

  function giveSignal(frame: unknown): void {
    const signal = SignalIn.safeParse(frame)
    if (signal.success) on.signal(signal.data)
  }

  /** An older control plane says of every change by itself, so its echo alone confirms what it said last. */
  function heard(value: unknown): void {
    const echo = machineFrames.heartbeat.value.safeParse(value)
    if (!echo.success || session === undefined) return
    if (speaks < SIGNED_SINCE) on.fresh(echo.data.now)
    if (speaks < SIGNED_SINCE || echo.data.fresh === undefined) return
    try {
      follower.confirm(trust.fresh(echo.data.fresh))
    } catch (error) {
      session.end(error instanceof RelayError ? error : nonsense(url, 'heartbeat'))
    }
  }

  return {
    start() {
      if (state.state !== 'stopped') return
      state = { state: 'connecting', reason: null }
      attempt = 0
      connect()
    },
    stop() {
      if (state.state === 'stopped') return
      cancelRetry()
      returns.flush()
      state = { state: 'stopped', reason: 'The daemon is stopping.' }
      session?.end(new RelayError('SHUTTING_DOWN', 'The daemon is stopping.'))
    },
    relay: (envelopes) =>
      isUp ? relays.add(envelopes) : Promise.reject(new RelayError('NOT_CONNECTED', state.reason ?? 'Not connected.')),
    giveBack: (batch) =>
      isUp ? returns.add(batch) : Promise.reject(new RelayError('NOT_CONNECTED', state.reason ?? 'Not connected.')),
    claim: async (agent) => read('agents.claim', await ask('agents.claim', { agent })).result,
    setStatus: async (changes) => void (await ask('agents.status', { changes })),
    release: async (name) => void (await ask('agents.release', { name })),
    leave: async () => void (await ask('agents.sync', { agents: [] })),
    async traces(reports) {
      for (let from = 0; from < reports.length; from += MAX_BATCH)
        await ask('traces', { traces: reports.slice(from, from + MAX_BATCH) })
    },
    joinChannel: async (wanted) => read('channels.join', await ask('channels.join', wanted)),
    leaveChannel: async (wanted) => read('channels.leave', await ask('channels.leave', wanted)),
    channelHistory: async (query) => read('channels.history', await ask('channels.history', query)),
    signal: async (out) => void (await ask('signal', out)),
    putSeals: async (seals) => void (await ask('keys.put', { seals })),
    async reportLinks(reports, isWhole) {
      if (reports.length === 0 && !isWhole) return
      for (let from = 0; from === 0 || from < reports.length; from += MAX_BATCH)
        await ask('links', { links: reports.slice(from, from + MAX_BATCH), isWhole: isWhole && from === 0 })
    },
    checkReach: async (port) => read('reach.check', await ask('reach.check', { port })),
    nudge() {
      attempt = 0
      if (session !== undefined) return session.check()
      if (state.state !== 'waiting') return
      cancelRetry()
      connect()
    },
    behind: (version) => follower.hearsay(version),
    state: () => ({ ...state }),
    latencyMs: () => session?.latencyMs() ?? null,
  }
}

const unsupported = (url: string, version: string): RelayError =>
  new RelayError(
    'VERSION_UNSUPPORTED',
    `${url} speaks none of the versions ${OLDEST_CONTROL_VERSION} to ${CONTROL_VERSION} of this agent-relay (${version}): install the one that it serves: npm install --global ${url}/agent-relay.tgz, then agent-relay down and agent-relay up`,
  )
