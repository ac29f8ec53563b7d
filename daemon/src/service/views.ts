/** What commands show of the state: agents, machines, status, one message's way. In words no stronger than what is known. */
import { type DeliveryPath, type Hop, nameKey } from '@agent-relay/protocol'
import type { AgentView, InboxEntry, MachineView, SentMessage, TraceView } from '@agent-relay/protocol/local'
import { type State, selfId, selfName, selfPerson } from '../core/state.ts'
import { machineName, noteOfAway, noteOfState } from '../core/words.ts'
import type { PeerView } from '../peers/transport.ts'
import { type StoredMessage, toMessage } from '../store/reader.ts'
import { hostPort, linkOf, linkView } from './link-views.ts'

/** Agents of this machine, then those of others, by name. */
export function agentViews(state: State): AgentView[] {
  const queued = new Map<string, number>()
  for (const stream of state.outStreams.values()) {
    const live = stream.entries.filter((entry) => !entry.isVoid).length
    queued.set(stream.toKey, (queued.get(stream.toKey) ?? 0) + live)
  }
  const here = [...state.agents.values()]
    .filter((agent) => agent.claim !== 'refused')
    .map(
      (agent): AgentView => ({
        name: agent.name,
        machine: selfName(state),
        isHere: true,
        person: selfPerson(state),
        status: agent.status,
        project: agent.project,
        client: agent.client,
        model: agent.model,
        epoch: agent.epoch,
        lastSeenAt: agent.lastSeenAt,
        waiting: agent.waiting.size,
      }),
    )
  const there = [...(state.roster?.agents.entries() ?? [])]
    .filter(([, agent]) => agent.machine !== selfId(state))
    .map(
      ([key, agent]): AgentView => ({
        name: agent.name,
        machine: machineName(state, agent.machine),
        isHere: false,
        person: agent.person,
        status: state.roster?.machines.get(agent.machine)?.isOnline === false ? 'offline' : agent.status,
        project: agent.project,
        client: agent.client,
        model: agent.model,
        epoch: agent.epoch,
        lastSeenAt: agent.lastSeenAt,
        waiting: queued.get(key) ?? 0,
      }),
    )
  const byName = (a: AgentView, b: AgentView): number => a.name.localeCompare(b.name)
  return [...here.sort(byName), ...there.sort(byName)]
}

type Ways = {
  /** As the link manager sees them. */
  links: readonly PeerView[]
  /** Round trip to the control plane in ms; null while it is not known. */
  controlMs: number | null
  now: number
}

/** This machine first, then those of the roster. */
export function machineViews(state: State, { links, controlMs, now }: Ways): MachineView[] {
  const linkTo = new Map(links.map((view) => [view.machine, view]))
  const self: MachineView = {
    id: selfId(state),
    name: selfName(state),
    person: selfPerson(state),
    platform: process.platform,
    isSelf: true,
    isOnline: true,
    lastSeenAt: null,
    path: 'local',
    latencyMs: null,
    queued: 0,
    sent: 0,
    received: 0,
    agents: [...state.agents.values()].filter((agent) => agent.claim !== 'refused').map((agent) => agent.name),
  }
  // The control plane's own machine is nobody's: it is shown while messages to people and channels wait for it.
  const isShown = (id: string): boolean => id !== state.roster?.cloud || mailTo(state, id).queued > 0
  const others = [...(state.roster?.machines.values() ?? [])].filter(({ id }) => id !== selfId(state) && isShown(id))
  return [
    self,
    ...others.map((machine): MachineView => {
      const counts = state.traffic.get(machine.id)
      const isDirect = state.links.get(machine.id)?.isDirect === true
      const isRelayed = machine.isOnline && state.isUp
      const link = linkTo.get(machine.id)
      const { queued, unacked } = mailTo(state, machine.id)
      return {
        id: machine.id,
        name: machine.name,
        person: machine.person,
        platform: machine.platform,
        isSelf: false,
        isOnline: machine.isOnline,
        lastSeenAt: machine.lastSeenAt,
        path: isDirect ? 'direct' : isRelayed ? 'relay' : null,
        // Nothing probes the way through the relay: what is known of it is the way to the control plane.
        latencyMs: link?.latencyMs ?? (isRelayed && !isDirect ? controlMs : null),
        queued,
        sent: counts?.sent ?? 0,
        received: counts?.received ?? 0,
        agents: [...(state.roster?.agents.values() ?? [])]
          .filter((agent) => agent.machine === machine.id)
          .map((agent) => agent.name),
        ...(link !== undefined && { link: linkView(link, now) }),
        unacked,
      }
    }),
  ]
}

/** What waits here for a machine, and how much of it is under way to it. */
function mailTo(state: State, machine: string): { queued: number; unacked: number } {
  let queued = 0
  let unacked = 0
  for (const stream of state.outStreams.values()) {
    if (stream.machine !== machine) continue
    for (const [place, { isVoid, isStored }] of stream.entries.entries()) {
      if (isVoid) continue
      queued++
      // What the control plane keeps for it is on no way; it is asked for now and then.
      if (place < stream.sent && !isStored) unacked++
    }
  }
  return { queued, unacked }
}

/** One message as far as it is known to have come. */
export function sentView(state: State, row: StoredMessage, now: number): SentMessage {
  const machine = machineName(state, row.toMachine)
  const note =
    row.state === 'queued' && row.way === 'out'
      ? noteOfAway(state, nameKey(row.toAgent), row.toMachine, now)
      : noteOfState(row.state, row.note ?? row.reason, row.toAgent, machine)
  return { id: row.id, agent: row.toAgent, machine, state: row.state, note }
}

export function inboxEntry(state: State, row: StoredMessage): InboxEntry {
  const known = row.state === 'injected' || row.state === 'seen' ? row.state : 'accepted'
  return {
    message: toMessage(row, machineName(state, row.fromMachine)),
    state: known,
    acceptedAt: Math.floor(row.acceptedAt ?? row.at),
  }
}

const PATHS: readonly string[] = ['local', 'relay', 'mailbox', 'direct']
export const pathOf = (path: string | null): DeliveryPath | null =>
  path !== null && PATHS.includes(path) ? (path as DeliveryPath) : null

/**
 * Every hop that this machine knows, with its offset since the message was queued here, or since it was accepted here. With
 * `links` it tells addresses of direct links, which are for this machine's people and not for the control plane.
 */
export function traceView(state: State, row: StoredMessage, links: readonly PeerView[] = []): TraceView {
  const path = pathOf(row.path) ?? (row.way === 'in' ? 'relay' : null)
  const accepted = acceptedAt(state, row)
  const done = accepted ?? row.failedAt
  return {
    id: row.id,
    from: row.fromAgent,
    to: row.toAgent,
    state: row.state,
    path,
    reason: row.note ?? row.reason,
    tookMs: row.way === 'in' || done === null ? null : Math.max(0, done - row.at),
    hops: hopsOf(state, { ...row, acceptedAt: accepted }, { path, links }),
  }
}

/** As long as a message that stays here waits for its agent, only the core knows when its commit was done. */
function acceptedAt(state: State, row: StoredMessage): number | null {
  const entry = row.way === 'local' ? state.agents.get(nameKey(row.toAgent))?.waiting.get(row.id) : undefined
  return entry?.acceptedAt ?? row.acceptedAt
}

type Way = { path: DeliveryPath | null; links: readonly PeerView[] }

function hopsOf(state: State, row: StoredMessage, { path, links }: Way): Hop[] {
  const from = machineName(state, row.fromMachine)
  const to = machineName(state, row.toMachine)
  const hops: Hop[] = []
  const add = (kind: string, where: string, at: number | null, more: Partial<Hop> = {}): void => {
    if (at !== null) hops.push({ kind, where: where.slice(0, 64), atMs: Math.max(0, at - row.at), ...more })
  }
  const via = path === null ? {} : { path }
  if (row.way !== 'in') add('queued', from, row.at)
  // Only of the latest attempt is it known which way it went.
  const latest = { ...via, ...addressOf(row, { path, links }) }
  add('sent', from, row.sentAt, row.attempts > 1 ? {} : latest)
  if (row.attempts > 1) add('retry', from, row.triedAt, { attempt: row.attempts, ...latest })
  add('stored', 'relay', row.storedAt, { path: 'mailbox' })
  add('accepted', to, row.acceptedAt, via)
  add('injected', to, row.injectedAt)
  add('seen', to, row.seenAt)
  const why = row.note ?? row.reason
  add('failed', row.way === 'in' ? to : from, row.failedAt, why === null ? {} : { note: why.slice(0, 200) })
  // A retry may come after the cloud has it: asked again whether its machine is back.
  return hops.sort((a, b) => (a.atMs ?? 0) - (b.atMs ?? 0))
}

/** `lan 192.168.1.23:41650`, while the link by which it went is the one that there is. */
function addressOf(row: StoredMessage, { path, links }: Way): Partial<Hop> {
  if (path !== 'direct' || row.way !== 'out' || row.triedAt === null) return {}
  const link = linkOf(links, row.toMachine, row.triedAt)
  return link === undefined || link.remote === null
    ? {}
    : { note: `${link.kind} ${hostPort(link.remote)}`.slice(0, 200) }
}
