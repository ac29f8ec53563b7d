/** What the link to the control plane changes: which machine this is, whether it is reachable, who else is there. */
import type { Roster, RosterDelta } from '@agent-relay/protocol'
import { nameKey } from '@agent-relay/protocol'
import { agentRow, settle } from './agents.ts'
import { failOut, notify } from './failure.ts'
import { forgetFreshness } from './freshness.ts'
import { askAnew } from './inbox.ts'
import { followMoves } from './moves.ts'
import { rewind } from './outbox.ts'
import { linkTo } from './paths.ts'
import { forgetDebts, isParked, remind } from './receipts.ts'
import { leaveRemoved } from './removed.ts'
import { applyDelta, indexRoster, rosterOf } from './roster.ts'
import { type State, selfId } from './state.ts'
import { type LinkIdentity, must, type Turn } from './turn.ts'

/** Another machine id or organization than before: what waits for the old one cannot arrive, and names are asked for anew. */
export function linked(state: State, identity: LinkIdentity | null, turn: Turn): void {
  const before = state.identity
  const isSame = before?.machine.id === identity?.machine.id && before?.org.id === identity?.org.id
  if (!isSame) {
    if (before !== null) leave(state, before.org.name, turn)
    state.roster = null
    must(turn, { op: 'meta', key: 'roster', value: null })
    forgetFreshness(state, turn)
    for (const agent of state.agents.values()) {
      agent.epoch = null
      agent.claim = identity === null ? 'local' : 'pending'
      must(turn, { op: 'agent', row: agentRow(agent) })
    }
  }
  state.identity = identity
  must(turn, { op: 'meta', key: 'identity', value: identity === null ? null : JSON.stringify(identity) })
}

type Up = { roster: Roster; now?: number; isUnsigned?: boolean }

/** `now`: the control plane's clock, so that what it says of times can be shown by ours. */
export function up(state: State, { roster, now, isUnsigned }: Up, turn: Turn): void {
  state.isUp = true
  if (now !== undefined) state.cloudAheadMs = now - turn.now
  takeRoster(state, { roster, mayGoBack: isUnsigned === true }, turn)
  rewindRelayed(state)
  const isRelayed = (machine: string): boolean => !linkTo(state, machine).isDirect
  remind(state, turn, (debt) => isRelayed(debt.machine))
  askAnew(state, turn, isRelayed)
}

export function down(state: State, turn: Turn): void {
  state.isUp = false
  rewindRelayed(state)
  for (const agent of state.agents.values()) {
    agent.isConfirmed = false
    settle(agent, turn)
  }
}

function rewindRelayed(state: State): void {
  for (const stream of state.outStreams.values()) if (!stream.link.isDirect) rewind(state, stream)
}

/**
 * A direct link came up or went down. Either way everything unacknowledged goes out again by the path that there is now:
 * the recipient's watermark makes nothing of a repeat. What the cloud stores stays there, see `ask` in window.ts.
 */
export function peerChanged(state: State, { machine, isUp }: { machine: string; isUp: boolean }, turn: Turn): void {
  if (state.identity === null || machine === selfId(state)) return
  const link = linkTo(state, machine)
  if (link.isDirect === isUp) return
  link.isDirect = isUp
  for (const stream of state.outStreams.values()) if (stream.link === link) rewind(state, stream)
  remind(state, turn, (debt) => debt.machine === machine)
  askAnew(state, turn, (sender) => sender === machine)
}

/**
 * A whole roster. Within an organization it never goes back: whoever was removed would be there again. Only a control plane
 * that signs none may have lost some, for nobody told it how far it had come.
 */
export function takeRoster(
  state: State,
  { roster, mayGoBack }: { roster: Roster; mayGoBack: boolean },
  turn: Turn,
): void {
  const held = state.roster
  if (held !== null && held.org.id === roster.org.id && roster.version < held.version && !mayGoBack) return
  state.roster = indexRoster(roster)
  rosterChanged(state, turn)
}

export function takeDelta(state: State, delta: RosterDelta, turn: Turn): void {
  if (state.roster !== null && applyDelta(state.roster, delta)) rosterChanged(state, turn)
}

function rosterChanged(state: State, turn: Turn): void {
  if (state.roster === null) return
  // Losing it costs a stale answer until the next connection, so it need not be on disk before anything else happens.
  turn.ops.push({ op: 'meta', key: 'roster', value: JSON.stringify(rosterOf(state.roster)) })
  loseNames(state, turn)
  followMoves(state, turn)
  leaveRemoved(state, turn)
  remind(state, turn, isParked)
}

/** A name that another machine holds under a later epoch is not ours any more. */
function loseNames(state: State, turn: Turn): void {
  for (const agent of state.agents.values()) {
    const holder = state.roster?.agents.get(nameKey(agent.name))
    if (holder === undefined || holder.machine === selfId(state) || agent.claim !== 'granted') continue
    if (agent.epoch !== null && holder.epoch <= agent.epoch) continue
    agent.claim = 'refused'
    agent.epoch = null
    agent.isConfirmed = false
    must(turn, { op: 'agent', row: agentRow(agent) })
    for (const stream of state.outStreams.values()) {
      if (stream.fromKey !== agent.key) continue
      for (const entry of stream.entries.filter((candidate) => !candidate.isVoid).reverse())
        failOut(state, stream, entry, { reason: 'FENCED', note: `${agent.name} runs on another machine now` }, turn)
    }
    notify(state, agent.key, `The name ${agent.name} was taken by another machine of ${holder.person}.`, turn)
  }
}

/** Nothing of what was under way in that organization can arrive, and nobody there can be told. */
function leave(state: State, org: string, turn: Turn): void {
  for (const stream of state.outStreams.values())
    for (const entry of stream.entries.filter((candidate) => !candidate.isVoid).reverse())
      failOut(state, stream, entry, { reason: 'NOT_LINKED', note: `this machine left ${org}` }, turn)
  state.outStreams.clear()
  state.links.clear()
  state.toPump.clear()
  forgetDebts(state, turn)
}
