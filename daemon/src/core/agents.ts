/** Names on this machine: taken here at once, confirmed by the control plane when there is one. */
import {
  type AgentClaim,
  type ClaimResult,
  nameKey,
  PERSON_CLIENT,
  suggestName,
  type WireError,
} from '@agent-relay/protocol'
import { failOut, notify } from './failure.ts'
import { CLAIM_WAIT_MS } from './limits.ts'
import { type LocalAgent, newAgent, type State, selfId, wakeBy } from './state.ts'
import { type AgentFacts, type AgentRow, answer, type CoreEvent, must, type Reply, refuse, type Turn } from './turn.ts'
import { ago, machineName } from './words.ts'

type Register = Extract<CoreEvent, { type: 'register' }>

/** Takes a name, or takes it again with new facts. Answers when the control plane said yes or no, or is away. */
export function register(state: State, event: Register, turn: Turn): void {
  const facts = event.isPerson ? { ...event.facts, ...personName(state, event.facts) } : event.facts
  const key = nameKey(facts.name)
  const known = state.agents.get(key)
  const isHeld = known?.claim === 'granted' || known?.claim === 'local'
  const elsewhere = isHeld || state.isUp ? undefined : takenElsewhere(state, facts.name, turn.now)
  if (elsewhere !== undefined) {
    refuse(turn, event.reply, elsewhere)
    return
  }
  const claim = isHeld ? known.claim : state.identity === null ? ('local' as const) : ('pending' as const)
  const agent = known ?? newAgent(rowOf(facts, event, claim), key)
  Object.assign(agent, facts, { name: known?.name ?? facts.name, tokenHash: event.tokenHash, claim })
  state.agents.set(key, agent)
  must(turn, { op: 'agent', row: agentRow(agent) })
  const canAsk = state.identity !== null && state.isUp && !event.isPerson
  if (canAsk) turn.effects.push({ type: 'claim', agent: claimOf(agent) })
  if (!canAsk || claim === 'granted') {
    answerRegistered(agent, event.reply, turn)
    return
  }
  agent.claimants.push({ reply: event.reply, until: turn.now + CLAIM_WAIT_MS })
  wakeBy(state, turn.now + CLAIM_WAIT_MS)
}

/** The control plane's word on names. */
export function claimed(state: State, results: ClaimResult[], turn: Turn): void {
  for (const result of results) {
    const agent = state.agents.get(nameKey(result.name))
    if (agent === undefined) continue
    if (result.ok) grant(state, agent, result.epoch, turn)
    else if (!PASSING.has(result.error.code)) refuseClaim(state, agent, result.error, turn)
  }
}

/** Failures that say nothing about the name: the next connection asks again. */
const PASSING = new Set<string>([
  'RATE_LIMITED',
  'UNAVAILABLE',
  'INTERNAL',
  'TIMEOUT',
  'SHUTTING_DOWN',
  'NOT_CONNECTED',
])

function grant(state: State, agent: LocalAgent, epoch: number, turn: Turn): void {
  const isNew = agent.claim !== 'granted'
  if (isNew || agent.epoch !== epoch) {
    agent.claim = 'granted'
    agent.epoch = epoch
    must(turn, { op: 'agent', row: agentRow(agent) })
  }
  agent.isConfirmed = true
  const isStarting = agent.claimants.length > 0
  settle(agent, turn)
  // What was claimed only so that its mail may leave, or whose program ended meanwhile, is nobody's to hold.
  if (agent.status === 'offline' && !agent.isPerson && !isStarting)
    turn.effects.push({ type: 'release', name: agent.name })
  else if (isNew && agent.status !== 'offline')
    turn.effects.push({ type: 'status', name: agent.name, epoch, status: agent.status })
  for (const stream of state.outStreams.values()) if (stream.fromKey === agent.key) state.toPump.add(stream)
}

/** Nobody may speak under this name here: what it queued fails, and whoever holds the connection is told. */
function refuseClaim(state: State, agent: LocalAgent, error: WireError, turn: Turn): void {
  if (agent.isPerson && error.code === 'NAME_TAKEN') {
    renamePerson(state, agent, error, turn)
    return
  }
  agent.claim = 'refused'
  agent.epoch = null
  agent.isConfirmed = false
  const { claimants } = agent
  agent.claimants = []
  for (const { reply } of claimants) refuse(turn, reply, error)
  const queued = [...state.outStreams.values()].filter((stream) => stream.fromKey === agent.key)
  const isUnused = claimants.length > 0 && agent.waiting.size === 0 && queued.every((s) => s.entries.length === 0)
  if (isUnused) {
    state.agents.delete(agent.key)
    must(turn, { op: 'agent-gone', name: agent.name })
    return
  }
  must(turn, { op: 'agent', row: agentRow(agent) })
  for (const stream of queued)
    for (const entry of stream.entries.filter((candidate) => !candidate.isVoid).reverse())
      failOut(state, stream, entry, { reason: error.code, note: error.message.slice(0, 200) }, turn)
  notify(state, agent.key, `The name ${agent.name} was refused: ${error.message}`, turn)
}

/** A person did not choose this name, so another one will do; what they queued goes on under it. */
function renamePerson(state: State, agent: LocalAgent, error: WireError, turn: Turn): void {
  const suggestion = error.details?.suggestion
  const isTaken = (key: string): boolean => state.agents.has(key) || (state.roster?.agents.has(key) ?? false)
  const name =
    typeof suggestion === 'string' && !state.agents.has(nameKey(suggestion))
      ? suggestion
      : suggestName(agent.name, isTaken)
  const oldKey = agent.key
  state.agents.delete(oldKey)
  must(turn, { op: 'agent-gone', name: agent.name })
  agent.name = name
  agent.key = nameKey(name)
  agent.claim = 'pending'
  agent.epoch = null
  agent.isConfirmed = false
  state.agents.set(agent.key, agent)
  must(turn, { op: 'agent', row: agentRow(agent) })
  turn.effects.push({ type: 'renamed', from: oldKey, to: name })
  for (const stream of state.outStreams.values()) {
    if (stream.fromKey !== oldKey) continue
    stream.fromKey = agent.key
    for (const entry of stream.entries) if (entry.n > 0) turn.ops.push({ op: 'sender', n: entry.n, agent: name })
  }
  if (state.isUp) turn.effects.push({ type: 'claim', agent: claimOf(agent) })
}

/** Registrations that waited long enough are told that the name is theirs for now. */
export function settleLate(state: State, turn: Turn): void {
  for (const agent of state.agents.values()) {
    const late = agent.claimants.filter((claimant) => claimant.until <= turn.now)
    if (late.length > 0) {
      agent.claimants = agent.claimants.filter((claimant) => claimant.until > turn.now)
      for (const { reply } of late) answerRegistered(agent, reply, turn)
    }
    for (const { until } of agent.claimants) wakeBy(state, until)
  }
}

/** Without a control plane no answer will come. */
export function settle(agent: LocalAgent, turn: Turn): void {
  const { claimants } = agent
  agent.claimants = []
  for (const { reply } of claimants) answerRegistered(agent, reply, turn)
}

/** Whether the agent runs here now, told to the organization when it changes: a name whose program ended is let go of. */
export function updateStatus(state: State, agent: LocalAgent, status: AgentClaim['status'], turn: Turn): void {
  if (agent.status === status) return
  const hasStarted = agent.status === 'offline'
  agent.status = status
  if (status === 'offline') {
    agent.lastSeenAt = Math.floor(turn.now)
    turn.ops.push({ op: 'agent', row: agentRow(agent) })
  }
  if (!state.isUp || agent.epoch === null) return
  if (agent.isPerson) turn.effects.push({ type: 'status', name: agent.name, epoch: agent.epoch, status })
  else if (status === 'offline') turn.effects.push({ type: 'release', name: agent.name })
  else if (hasStarted) turn.effects.push({ type: 'claim', agent: claimOf(agent) })
  else turn.effects.push({ type: 'status', name: agent.name, epoch: agent.epoch, status })
}

/** What this machine asks of the control plane for this name. */
export const claimOf = (agent: LocalAgent): AgentClaim => ({
  name: agent.name,
  epoch: agent.epoch,
  status: agent.status,
  project: agent.project,
  repository: agent.repository,
  client: agent.client,
  model: agent.model,
  capabilities: agent.capabilities,
})

/**
 * Every name that this machine holds or wants: of what runs, of what was never asked for, of what still has mail to send, and
 * of a person who ever spoke.
 */
export const claimsOf = (state: State): AgentClaim[] =>
  [...state.agents.values()]
    .filter((agent) => agent.claim !== 'refused' && (isHolding(agent) || speaks(state, agent.key)))
    .map(claimOf)

const isHolding = (agent: LocalAgent): boolean =>
  agent.isPerson ? agent.epoch !== null : agent.status !== 'offline' || agent.claim === 'pending'

export const speaks = (state: State, key: string): boolean =>
  [...state.outStreams.values()].some((stream) => stream.fromKey === key && stream.entries.length > 0)

/**
 * The first message to another machine asks for a name that was not claimed at connect: a person's, or that of a program that
 * ended, under which a late word is sent. `hasSpoken`: other mail of theirs waits already, and so the name was asked for.
 */
export function claimToSpeak(state: State, agent: LocalAgent, hasSpoken: boolean, turn: Turn): void {
  if (!state.isUp || agent.isConfirmed) return
  if (agent.isPerson || (agent.status === 'offline' && agent.epoch !== null && !hasSpoken))
    turn.effects.push({ type: 'claim', agent: claimOf(agent) })
}

export const agentRow = (agent: LocalAgent): AgentRow => ({
  name: agent.name,
  project: agent.project,
  repository: agent.repository,
  model: agent.model,
  client: agent.client,
  capabilities: agent.capabilities,
  tokenHash: agent.tokenHash,
  isPerson: agent.isPerson,
  epoch: agent.epoch,
  claim: agent.claim,
  lastSeenAt: agent.lastSeenAt,
  pushedTo: agent.pushedTo,
})

function answerRegistered(agent: LocalAgent, reply: Reply, turn: Turn): void {
  const { claim } = agent
  if (claim === 'refused') return
  answer(turn, reply, { type: 'registered', name: agent.name, epoch: agent.epoch, claim })
}

const rowOf = (facts: AgentFacts, event: Register, claim: AgentRow['claim']): AgentRow => ({
  ...facts,
  tokenHash: event.tokenHash,
  isPerson: event.isPerson,
  epoch: null,
  claim,
  lastSeenAt: null,
  pushedTo: 0,
})

/** The person keeps the name that they have; the first time it is theirs or one like it. */
function personName(state: State, facts: AgentFacts): { name: string; client: string } {
  const known = [...state.agents.values()].find((agent) => agent.isPerson && agent.claim !== 'refused')
  const isTaken = (key: string): boolean =>
    state.agents.has(key) ||
    (state.roster?.agents.get(key) !== undefined && state.roster.agents.get(key)?.machine !== selfId(state))
  const name = known?.name ?? (isTaken(nameKey(facts.name)) ? suggestName(facts.name, isTaken) : facts.name)
  return { name, client: PERSON_CLIENT }
}

function takenElsewhere(state: State, name: string, now: number): WireError | undefined {
  const holder = state.roster?.agents.get(nameKey(name))
  if (holder === undefined || holder.machine === selfId(state)) return undefined
  const isTaken = (key: string): boolean => state.agents.has(key) || (state.roster?.agents.has(key) ?? false)
  const suggestion = suggestName(name, isTaken)
  const seen = holder.lastSeenAt === null ? '' : `, last seen ${ago(now + state.cloudAheadMs, holder.lastSeenAt)}`
  return {
    code: 'NAME_TAKEN',
    message: `${holder.name} is held by ${holder.person} on ${machineName(state, holder.machine)}${seen}: take ${suggestion}, or another name.`,
    details: { owner: holder.person, lastSeenAt: holder.lastSeenAt, suggestion },
  }
}
