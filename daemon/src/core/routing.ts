/** Who an address means, decided here and nowhere else: agents of this machine, then the roster. */
import { nameKey, nearestNames, PERSON_CLIENT, parseAddress, type WireError } from '@agent-relay/protocol'
import { type LocalAgent, type State, selfId } from './state.ts'

export type Target = { key: string; name: string; machine: string; project: string | null }
export type Resolved = { ok: true; targets: Target[]; isBroadcast: boolean } | { ok: false; error: WireError }

/** The recipients of `text` as `sender` means it; an unknown name is an error that tells the nearest ones. */
export function resolve(state: State, sender: LocalAgent, text: string): Resolved {
  // Most messages name an agent of this machine in its very spelling: no parsing for them.
  const here = state.agents.get(nameKey(text))
  if (here !== undefined && here.claim !== 'refused') return one(localTarget(state, here))
  const parsed = parseAddress(text)
  if (!parsed.ok) return refused('UNKNOWN_ADDRESS', `${parsed.reason}. See who is there with: agent-relay agents`)
  const { address } = parsed
  switch (address.kind) {
    case 'agent':
      return named(state, address.name, address.project)
    case 'project':
      return many(state, sender, text, (target) => sameProject(target.project, address.project))
    case 'own-project':
      // Agents without a project share one: they were all started without --project.
      return many(state, sender, text, (target) => sameProject(target.project, sender.project))
    case 'everyone':
      return many(state, sender, text, () => true)
    case 'channel':
    case 'user':
      return refused(
        'UNSUPPORTED_ADDRESS',
        `${JSON.stringify(text)} is a ${address.kind === 'channel' ? 'channel' : 'person'}, which cannot be addressed yet: name an agent, or use "project:*" or "*:*".`,
      )
  }
}

/** Whom one can address, this machine's agents first; persons only by name. */
function* audience(state: State): Generator<Target & { isPerson: boolean }> {
  for (const agent of state.agents.values())
    if (agent.claim !== 'refused') yield { ...localTarget(state, agent), isPerson: agent.isPerson }
  if (state.roster === null) return
  for (const [key, agent] of state.roster.agents) {
    if (isHere(state, key) || agent.machine === selfId(state)) continue
    yield {
      key,
      name: agent.name,
      machine: agent.machine,
      project: agent.project,
      isPerson: agent.client === PERSON_CLIENT,
    }
  }
}

function named(state: State, name: string, project: string | undefined): Resolved {
  const key = nameKey(name)
  const target = find(state, key)
  if (target === undefined) return unknown(state, name)
  if (project !== undefined && !sameProject(target.project, project))
    return refused(
      'UNKNOWN_ADDRESS',
      `${target.name} is ${target.project === null ? 'in no project' : `in project ${target.project}`}, not in ${project}: send to ${target.project === null ? target.name : `${target.project}:${target.name}`}.`,
    )
  return one(target)
}

/** Where the agent of this name key is, as far as this machine knows. */
export function find(state: State, key: string): Target | undefined {
  const here = state.agents.get(key)
  if (here !== undefined && here.claim !== 'refused') return localTarget(state, here)
  const there = state.roster?.agents.get(key)
  if (there === undefined || there.machine === selfId(state)) return undefined
  return { key, name: there.name, machine: there.machine, project: there.project }
}

function many(state: State, sender: LocalAgent, text: string, isMeant: (target: Target) => boolean): Resolved {
  const targets = [...audience(state)].filter(
    (target) => target.key !== sender.key && !target.isPerson && isMeant(target),
  )
  if (targets.length > 0) return { ok: true, targets, isBroadcast: true }
  const where = state.identity === null ? 'this machine, which is not linked' : state.identity.org.name
  return refused(
    'EMPTY_AUDIENCE',
    `${JSON.stringify(text)} means nobody but ${sender.name} on ${where}. See who is there with: agent-relay agents`,
  )
}

function unknown(state: State, name: string): Resolved {
  const near = nearestNames(
    name,
    [...audience(state)].map((target) => target.name),
  )
  const where = state.identity === null ? 'on this machine, which is not linked' : `in ${state.identity.org.name}`
  const hint = near.length === 0 ? '' : ` Did you mean ${near.map((n) => JSON.stringify(n)).join(' or ')}?`
  return {
    ok: false,
    error: {
      code: 'UNKNOWN_ADDRESS',
      message: `No agent is called ${JSON.stringify(name)} ${where}.${hint} See who is there with: agent-relay agents`,
      details: { nearest: near },
    },
  }
}

const isHere = (state: State, key: string): boolean => {
  const agent = state.agents.get(key)
  return agent !== undefined && agent.claim !== 'refused'
}
const one = (target: Target): Resolved => ({ ok: true, targets: [target], isBroadcast: false })
const refused = (code: WireError['code'], message: string): Resolved => ({ ok: false, error: { code, message } })
const localTarget = (state: State, agent: LocalAgent): Target => ({
  key: agent.key,
  name: agent.name,
  machine: selfId(state),
  project: agent.project,
})
const sameProject = (a: string | null, b: string | null): boolean =>
  a === null || b === null ? a === b : a.toLowerCase() === b.toLowerCase()
