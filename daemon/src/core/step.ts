/** The one door of the core: events of a tick in, operations and effects out. Deterministic; does no I/O. */
import type { WireError } from '@agent-relay/protocol'
import { claimed, register, settleLate, updateStatus } from './agents.ts'
import { dropLetter, retryLetter } from './dead-letters.ts'
import { expire } from './expiry.ts'
import { giveUp } from './failure.ts'
import { confirm } from './freshness.ts'
import { mark, push, setReceiver } from './hand-over.ts'
import { receive, unreadable } from './inbox.ts'
import { down, linked, peerChanged, takeDelta, takeRoster, up } from './link.ts'
import { dispatch } from './paths.ts'
import { relayed } from './relayed.ts'
import { retry } from './retry.ts'
import { giveBack, returned } from './returns.ts'
import { send } from './send.ts'
import type { LocalAgent, State } from './state.ts'
import { type CoreEvent, must, newTurn, refuse, type Turn } from './turn.ts'
import { pumpAll } from './window.ts'

/**
 * Decides what these events lead to. `state` is changed in place; `now` is in ms and never goes back within a state's life.
 * The caller commits the turn's operations before it lets any effect out; when it cannot, it drops the turn and builds the
 * state anew from what is committed.
 */
export function step(state: State, events: readonly CoreEvent[], now: number): Turn {
  const turn = newTurn(now)
  for (const event of events) apply(state, event, turn)
  finish(state, turn)
  return turn
}

function apply(state: State, event: CoreEvent, turn: Turn): void {
  switch (event.type) {
    case 'send':
      send(state, event, turn)
      return
    case 'mark':
      withAgent(
        state,
        event.agent,
        (agent) => mark(state, agent, event, turn),
        () => refuse(turn, event.reply, notHeld(event.agent)),
      )
      return
    case 'register':
      register(state, event, turn)
      return
    case 'receiver':
      withAgent(state, event.agent, (agent) => {
        setReceiver(agent, event.isOn, turn)
        updateStatus(state, agent, statusOf(agent), turn)
      })
      return
    case 'presence':
      withAgent(state, event.agent, (agent) => {
        agent.isPresent = event.isOn
        updateStatus(state, agent, statusOf(agent), turn)
      })
      return
    case 'status':
      withAgent(state, event.agent, (agent) => updateStatus(state, agent, event.status, turn))
      return
    case 'linked':
      linked(state, event.identity, turn)
      return
    case 'up':
      up(state, event, turn)
      return
    case 'down':
      down(state, turn)
      return
    case 'peer':
      peerChanged(state, event, turn)
      return
    case 'roster':
      takeRoster(state, { roster: event.roster, mayGoBack: false }, turn)
      return
    case 'fresh':
      confirm(state, event.at, turn)
      return
    case 'delta':
      takeDelta(state, event.delta, turn)
      return
    case 'claims':
      claimed(state, event.results, turn)
      return
    case 'deliver':
      receive(state, event.envelopes, event.peer, turn)
      return
    case 'unreadable':
      unreadable(state, event, turn)
      return
    case 'returned':
      returned(state, event.returned, event.known, turn)
      return
    case 'relayed':
      if (event.results !== null) relayed(state, event.results, turn)
      return
    case 'giveUp':
      withAgent(
        state,
        event.agent,
        (agent) => giveUp(state, agent, event, turn),
        () => refuse(turn, event.reply, notHeld(event.agent)),
      )
      return
    case 'retry':
      retryLetter(state, event, turn)
      return
    case 'drop':
      dropLetter(state, event, turn)
      return
    case 'tick':
      tick(state, turn)
      return
  }
}

function tick(state: State, turn: Turn): void {
  state.wakeAt = Number.POSITIVE_INFINITY
  expire(state, turn)
  settleLate(state, turn)
  for (const stream of state.outStreams.values())
    if (stream.retryAt < Number.POSITIVE_INFINITY) retry(state, stream, turn)
}

/** What several events of a turn ask for is done once. */
function finish(state: State, turn: Turn): void {
  for (const agent of state.touched) push(agent, turn)
  state.touched.clear()
  pumpAll(state, turn)
  for (const stream of state.grown)
    must(turn, { op: 'stream', id: stream.id, machine: stream.machine, next: stream.nextSeq, sentTo: stream.sentTo })
  state.grown.clear()
  dispatch(state, turn)
  giveBack(state, turn)
}

const notHeld = (name: string): WireError => ({
  code: 'NOT_FOUND',
  message: `The name ${name} is not held on this machine.`,
})

const statusOf = (agent: LocalAgent): LocalAgent['status'] => {
  if (!agent.isPresent && !agent.hasReceiver) return 'offline'
  return agent.status === 'offline' ? 'online' : agent.status
}

function withAgent(
  state: State,
  key: string,
  then: (agent: LocalAgent) => void,
  otherwise: () => void = () => undefined,
): void {
  const agent = state.agents.get(key)
  if (agent === undefined) otherwise()
  else then(agent)
}
