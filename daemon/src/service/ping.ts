/** `agent-relay ping`: one try to reach an agent's machine, or a machine, in words that say no more than was seen. */
import { nameKey, nearestNames } from '@agent-relay/protocol'
import type { PingView } from '@agent-relay/protocol/local'
import { find } from '../core/routing.ts'
import { type State, selfId, selfName } from '../core/state.ts'
import { ago, machineName } from '../core/words.ts'
import { RelayError } from '../errors.ts'
import { hostPort, shortly } from './link-views.ts'
import type { Peering } from './peering.ts'

type Goal = { machine: string; agent: { key: string; name: string } | null }

/** `now` on the daemon's clock. */
type Deps = { state: () => State; peering: Pick<Peering, 'ping' | 'views'>; now: () => number }

/**
 * Throws NOT_LINKED, UNKNOWN_ADDRESS with the nearest names, BAD_REQUEST for people and channels, and VERSION_UNSUPPORTED when
 * the other machine cannot be pinged at all. That nobody answered is an answer.
 */
export async function pingByName({ state, peering, now }: Deps, name: string): Promise<PingView> {
  const { machine, agent } = goalOf(state(), name)
  if (machine === selfId(state())) return here(state(), agent)
  const base = { machine: machineName(state(), machine), agent: agent?.name ?? null }
  try {
    const pong = await peering.ping(machine, agent?.name)
    return {
      ...base,
      path: pong.via,
      kind: pong.kind,
      remote: pong.remote && hostPort(pong.remote),
      latencyMs: Math.round(pong.tookMs * 100) / 100,
      inbox: pong.inbox,
      status: pong.status,
      why: shortly(peering.views().find((view) => view.machine === machine)?.why ?? ''),
    }
  } catch (error) {
    const isSilence = error instanceof RelayError && (error.code === 'NOT_CONNECTED' || error.code === 'TIMEOUT')
    if (!isSilence) throw error
    return { ...base, ...nobody, why: awayWords(state(), machine, now()) ?? shortly(error.message) }
  }
}

const nobody = { path: null, kind: null, remote: null, latencyMs: null, inbox: null, status: null }

/** A machine that the control plane does not see is more likely off than hidden. */
function awayWords(state: State, id: string, now: number): string | undefined {
  const machine = state.roster?.machines.get(id)
  if (machine === undefined || machine.isOnline || !state.isUp) return undefined
  const seen = machine.lastSeenAt === null ? '' : `, last seen ${ago(now + state.cloudAheadMs, machine.lastSeenAt)}`
  return `${machine.name} is offline${seen}`
}

/** The daemon that is asked is the one that answers: there is no way to measure. */
function here(state: State, agent: Goal['agent']): PingView {
  const status = agent === null ? null : (state.agents.get(agent.key)?.status ?? null)
  return {
    machine: selfName(state),
    agent: agent?.name ?? null,
    ...{ path: 'local', kind: null, remote: null, latencyMs: 0, inbox: null, status },
    why: 'it is on this machine',
  }
}

/** An agent by this name, else a machine. */
function goalOf(state: State, name: string): Goal {
  if (/^[@#]/.test(name))
    throw new RelayError(
      'BAD_REQUEST',
      `${JSON.stringify(name)} is read in the dashboard and runs nowhere: name an agent or a machine. Next: agent-relay netcheck`,
    )
  const key = nameKey(name)
  const target = find(state, key)
  if (target !== undefined) return { machine: target.machine, agent: { key, name: target.name } }
  if (nameKey(selfName(state)) === key) return { machine: selfId(state), agent: null }
  const machines = [...(state.roster?.machines.values() ?? [])].filter(({ id }) => id !== state.roster?.cloud)
  const machine = machines.find((one) => nameKey(one.name) === key)
  if (machine !== undefined) return { machine: machine.id, agent: null }
  const known = [
    ...[...state.agents.values()].filter(({ claim }) => claim !== 'refused'),
    ...(state.roster?.agents.values() ?? []),
    ...machines,
    { name: selfName(state) },
  ]
  // An agent and a machine of one name are one name to type.
  const names = new Map(known.toReversed().map((one) => [nameKey(one.name), one.name]))
  const near = nearestNames(name, names.values())
  const hint = near.length === 0 ? '' : ` Did you mean ${near.map((one) => JSON.stringify(one)).join(' or ')}?`
  const where = state.identity === null ? 'on this machine, which is not linked' : `in ${state.identity.org.name}`
  throw new RelayError(
    'UNKNOWN_ADDRESS',
    `No agent or machine is called ${JSON.stringify(name)} ${where}.${hint} See who is there with: agent-relay status`,
    { details: { nearest: near } },
  )
}
