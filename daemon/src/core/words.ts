/** Honest words for people: what is known of a message, never more. */
import type { DeliveryState } from '@agent-relay/protocol'
import type { Target } from './routing.ts'
import { type LocalAgent, type State, selfId } from './state.ts'

/** `3 h`, a second at least. */
export function span(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1000))
  if (seconds < 90) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 90) return `${minutes} min`
  const hours = Math.round(minutes / 60)
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} d`
}

/** `3 h ago`; `now` and `then` in ms. */
export const ago = (now: number, then: number): string => (now - then < 4_500 ? 'just now' : `${span(now - then)} ago`)

export const machineName = (state: State, id: string): string =>
  id === selfId(state)
    ? (state.identity?.machine.name ?? state.hostName)
    : (state.roster?.machines.get(id)?.name ?? 'another machine')

/** What is known right after a message to `target` was committed here. */
export function noteOfSent(state: State, sender: LocalAgent, target: Target, now: number): string {
  const here = target.machine === selfId(state) ? state.agents.get(target.key) : undefined
  if (here !== undefined) return noteOfLocal(here, now)
  if (sender.claim === 'pending' && sender.epoch === null)
    return `queued: the name ${sender.name} is not confirmed by the control plane yet`
  if (!state.isUp && !isDirect(state, target.machine))
    return 'queued: this machine is not connected to the control plane; see agent-relay status'
  return noteOfAway(state, target.key, target.machine, now)
}

const isDirect = (state: State, machine: string): boolean => state.links.get(machine)?.isDirect === true

/** People and channels as they are registered; a name key that is none of them as it is. */
function nameAtCloud(state: State, key: string): string {
  const person = key.startsWith('@') ? state.roster?.people.get(key.slice(1)) : undefined
  if (person !== undefined) return `@${person.handle}`
  const channel = key.startsWith('#') ? state.roster?.channels.get(key.slice(1)) : undefined
  return channel === undefined ? key : `#${channel.name}`
}

/** Why a message to an agent of another machine is still here. */
export function noteOfAway(state: State, key: string, machineId: string, now: number): string {
  const agent = state.roster?.agents.get(key)
  const machine = state.roster?.machines.get(machineId)
  const name = agent?.name ?? nameAtCloud(state, key)
  const seen = (at: number | null | undefined) => (at == null ? '' : `, last seen ${ago(now + state.cloudAheadMs, at)}`)
  if (isDirect(state, machineId))
    return `queued: on its way to ${name} on ${machine?.name ?? 'its machine'} by direct link`
  if (machine !== undefined && !machine.isOnline)
    return `queued: ${name} is offline${seen(agent?.lastSeenAt ?? machine.lastSeenAt)}`
  if (agent?.status === 'offline')
    return `queued: on its way to ${machine?.name ?? 'its machine'}, where ${name} is offline${seen(agent.lastSeenAt)}`
  return `queued: on its way to ${name} on ${machine?.name ?? 'its machine'} by relay`
}

function noteOfLocal(agent: LocalAgent, now: number): string {
  if (agent.hasReceiver) return `accepted: ${agent.name} is on this machine`
  const seen = agent.lastSeenAt === null ? '' : `, last seen ${ago(now, agent.lastSeenAt)}`
  return agent.isPerson
    ? `accepted: in the inbox of ${agent.name} on this machine`
    : `accepted: waits in the inbox of ${agent.name} on this machine, which is not running${seen}`
}

/** The words for a state that is all that is known. */
export function noteOfState(state: DeliveryState, reason: string | null, toAgent: string, machine: string): string {
  switch (state) {
    case 'queued':
      return `queued for ${toAgent} on ${machine}`
    case 'stored':
      return `stored: the control plane keeps it for ${machine}`
    case 'accepted':
      return `accepted: in the inbox of ${toAgent} on ${machine}`
    case 'injected':
      return `injected: ${toAgent} has it`
    case 'seen':
      return `seen by ${toAgent}`
    case 'failed':
      return `failed: ${reason ?? 'no reason was given'}`
  }
}
