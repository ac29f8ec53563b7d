/** Which way a message goes: the direct link to its machine when there is one, else the relay, else it waits. */
import type { Cargo, OutLink, Path, State } from './state.ts'
import type { Outgoing, Turn } from './turn.ts'

/** The path to this machine now; null while there is none. */
export function pathTo(state: State, link: Pick<OutLink, 'isDirect'>): Path | null {
  if (link.isDirect) return 'direct'
  return state.isUp ? 'relay' : null
}

/**
 * Under which epoch messages of this agent may leave by this path now; null while they may not. By relay the control plane
 * must have confirmed the name on this very connection. A direct link goes on while the control plane is away, under the
 * epoch that it granted last: the recipient fences an older one by its own roster.
 */
export function epochOn(state: State, path: Path | null, agentKey: string): number | null {
  const agent = state.agents.get(agentKey)
  if (path === null || agent === undefined) return null
  if (path === 'relay') return agent.isConfirmed ? agent.epoch : null
  return agent.claim === 'granted' ? agent.epoch : null
}

export function linkTo(state: State, machine: string): OutLink {
  let link = state.links.get(machine)
  if (link === undefined) {
    link = { machine, isDirect: false, bytes: 0, waiting: new Set() }
    state.links.set(machine, link)
  }
  return link
}

/** Puts messages with what else leaves by their path in this turn. */
export function load(cargo: Cargo, link: OutLink, path: Path, messages: Outgoing[]): void {
  if (messages.length === 0) return
  if (path === 'relay') {
    cargo.relay = cargo.relay.length === 0 ? messages : cargo.relay.concat(messages)
    return
  }
  const loaded = cargo.direct.get(link.machine)
  cargo.direct.set(link.machine, loaded === undefined ? messages : loaded.concat(messages))
}

/** Everything that leaves with this turn, one effect per path. */
export function dispatch(state: State, turn: Turn): void {
  const { relay, direct } = state.cargo
  if (relay.length > 0) turn.effects.push({ type: 'relay', messages: relay })
  for (const [machine, messages] of direct) turn.effects.push({ type: 'direct', machine, messages })
  if (relay.length > 0) state.cargo.relay = []
  if (direct.size > 0) direct.clear()
}
