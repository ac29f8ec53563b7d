/** Who an address means, decided here and nowhere else: agents of this machine, then the roster. */
import { nameKey, nearestNames, PERSON_CLIENT, parseAddress, type WireError } from '@agent-relay/protocol'
import type { RosterIndex } from './roster.ts'
import { type LocalAgent, type State, selfId } from './state.ts'

export type Target = { key: string; name: string; machine: string; project: string | null }
/** `via`: the address of which each target gets a copy; undefined for a message to one. */
export type Resolved = { ok: true; targets: Target[]; via: string | undefined } | { ok: false; error: WireError }

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
      return channel(state, sender, address.channel)
    case 'user':
      return person(state, address.user)
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
  if (targets.length > 0) return { ok: true, targets, via: text }
  const where = state.identity === null ? 'this machine, which is not linked' : state.identity.org.name
  return refused(
    'EMPTY_AUDIENCE',
    `${JSON.stringify(text)} means nobody but ${sender.name} on ${where}. See who is there with: agent-relay agents`,
  )
}

/** A person has one inbox, in the dashboard; their agents are addressed by their own names. */
function person(state: State, handle: string): Resolved {
  const cloud = cloudOf(state, `@${handle}`)
  if (!cloud.ok) return cloud
  const { people } = cloud.roster
  const known = people.get(nameKey(handle))
  if (known !== undefined) return one(atCloud(`@${known.handle}`, cloud.machine))
  const near = nearestNames(
    handle,
    [...people.values()].map((other) => other.handle),
  ).map((name) => `@${name}`)
  return unknownThere(state, `@${handle}`, 'Nobody is called', near, 'Who can be written to: agent-relay agents')
}

/** A copy for each member agent but the sender, and one for the control plane, which keeps the history and gives it to people. */
function channel(state: State, sender: LocalAgent, name: string): Resolved {
  const cloud = cloudOf(state, `#${name}`)
  if (!cloud.ok) return cloud
  const { channels } = cloud.roster
  const known = channels.get(nameKey(name))
  if (known !== undefined) {
    const members = known.members.flatMap((key) => (key === sender.key ? [] : (find(state, key) ?? [])))
    return { ok: true, targets: [...members, atCloud(`#${known.name}`, cloud.machine)], via: `#${known.name}` }
  }
  const near = nearestNames(
    name,
    [...channels.values()].map((other) => other.name),
  ).map((other) => `#${other}`)
  return unknownThere(state, `#${name}`, 'There is no channel', near, `Make it with: agent-relay join '#${name}'`)
}

type Cloud = { ok: true; machine: string; roster: RosterIndex } | { ok: false; error: WireError }

function cloudOf(state: State, address: string): Cloud {
  const { identity, roster } = state
  if (identity === null)
    return refused(
      'NOT_LINKED',
      `${JSON.stringify(address)} is of an organization, and this machine is linked to none: agent-relay link`,
    )
  if (roster === null)
    return refused(
      'NOT_CONNECTED',
      `${JSON.stringify(address)} is not known before the first connection to the control plane: see agent-relay status`,
    )
  if (roster.cloud !== undefined) return { ok: true, machine: roster.cloud, roster }
  return refused(
    'UNSUPPORTED_ADDRESS',
    `The control plane of ${roster.org.name} is of a version without people and channels, so ${JSON.stringify(address)} cannot be addressed: name an agent.`,
  )
}

const atCloud = (name: string, machine: string): Target => ({ key: nameKey(name), name, machine, project: null })

function unknownThere(state: State, address: string, what: string, near: string[], next: string): Resolved {
  const hint = near.length === 0 ? '' : ` Did you mean ${near.map((name) => JSON.stringify(name)).join(' or ')}?`
  return {
    ok: false,
    error: {
      code: 'UNKNOWN_ADDRESS',
      message: `${what} ${JSON.stringify(address)} in ${state.identity?.org.name}.${hint} ${next}`,
      details: { nearest: near },
    },
  }
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
const one = (target: Target): Resolved => ({ ok: true, targets: [target], via: undefined })
const refused = (code: WireError['code'], message: string): { ok: false; error: WireError } => ({
  ok: false,
  error: { code, message },
})
const localTarget = (state: State, agent: LocalAgent): Target => ({
  key: agent.key,
  name: agent.name,
  machine: selfId(state),
  project: agent.project,
})
const sameProject = (a: string | null, b: string | null): boolean =>
  a === null || b === null ? a === b : a.toLowerCase() === b.toLowerCase()
