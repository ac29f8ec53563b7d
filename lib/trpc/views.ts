/**
 * What the pages get: the shapes that tRPC procedures return. Dates are ms since 1970, so that they travel and compare as numbers.
 * Services build them; components import the types only.
 */
import type { AgentStatus, CandidateKind, DeliveryPath, DeliveryState, Hop, LinkState } from '@agent-relay/protocol'
import type { Plan } from '../access/plans.ts'
import type { Role } from '../access/roles.ts'

export type OrgSummary = { id: string; slug: string; name: string; kind: 'personal' | 'team'; plan: Plan; role: Role }

export type MeView = {
  user: { id: string; name: string; handle: string; email: string | null; image: string | null }
  orgs: OrgSummary[]
}

/** Numbers beside the navigation. */
export type OrgCounts = {
  /** Every name that programs ran under and that can be addressed; persons are not counted. */
  agents: number
  agentsOnline: number
  machines: number
  machinesOnline: number
  waiting: number
  failed24h: number
  /** Messages in the inbox of the person who asks that they have not read. */
  unread: number
}

/** `archiveSince`: ms since 1970; null while no bodies are archived. */
export type OrgArchive = { archiveSince: number | null }

export type OrgView = OrgSummary &
  OrgArchive & {
    counts: OrgCounts
    /** What the plan counts: all held names but one person's on each machine. */
    agentsUsed: number
    createdAt: number
    members: number
  }

export type AgentRow = {
  name: string
  status: AgentStatus
  machine: { id: string; name: string; isOnline: boolean }
  person: string
  client: string | null
  model: string | null
  project: string | null
  repository: string | null
  capabilities: string[]
  epoch: number
  isHeld: boolean
  /** A person's own name: no program runs under it. */
  isPerson: boolean
  createdAt: number
  lastSeenAt: number
  sent24h: number
  received24h: number
  waiting: number
}

export type MachineRow = {
  id: string
  name: string
  person: string
  platform: string
  version: string
  address: string | null
  keyPrefix: string
  /** linked: has an identity; keyOnly: a headless key that no machine has used yet; revoked. */
  state: 'online' | 'offline' | 'keyOnly' | 'revoked'
  latencyMs: number | null
  agents: { name: string; status: AgentStatus; client: string | null; project: string | null }[]
  waiting: number
  createdAt: number
  lastSeenAt: number | null
  /** Whether the viewer may revoke it. */
  canRevoke: boolean
}

/** What one machine says of its link to another. */
export type LinkEnd = {
  state: LinkState
  kind: CandidateKind | null
  latencyMs: number | null
  /** Why it goes this way, in its own words. */
  why: string
  since: number
  updatedAt: number
}

/** How two machines that talk are linked, by the better informed of both. */
export type LinkRow = {
  id: string
  /** By name. */
  a: { id: string; name: string }
  b: { id: string; name: string }
  /** `suspect` also while the two do not agree; `down`: one of them is not there. */
  state: LinkState | 'down'
  /** Of a direct link: by which kind of address. */
  kind: CandidateKind | null
  latencyMs: number | null
  /** By relay nothing was measured: it is the sum of both ways to the control plane. */
  isEstimate: boolean
  since: number | null
  /** The other end says nothing, or something else. */
  isOneSided: boolean
  why: string
  /** As `a` and as `b` said last; null for one that has not said anything. */
  ends: [LinkEnd | null, LinkEnd | null]
}

export type NetworkView = { machines: MachineRow[]; links: LinkRow[] }

export type MessageRow = {
  id: string
  from: string
  fromMachine: string
  to: string
  toMachine: string
  via: string | null
  thread: string | null
  sizeBytes: number
  state: DeliveryState
  reason: string | null
  path: DeliveryPath | null
  tookMs: number | null
  sentAt: number
  updatedAt: number
}

/** `body`: as the archive has it; null when it has none. */
export type MessageDetail = MessageRow & { hops: Hop[]; body: string | null }

export type MessagePage = {
  rows: MessageRow[]
  nextCursor: string | null
  total15m: number
  waiting: number
  failed24h: number
}

/** One conversation of a person's inbox: with one agent, or in one channel. */
export type ConversationRow = {
  /** `agent:NAMEKEY` or `channel:NAMEKEY`; stands in URLs. */
  key: string
  kind: 'agent' | 'channel'
  /** As registered, without `#`. */
  name: string
  /** The agent's machine; null for a channel, or when the agent is gone. */
  machine: string | null
  /** null for a channel. */
  status: AgentStatus | null
  lastAt: number
  /** Who wrote last: an agent's name or `@handle`. */
  lastFrom: string
  /** The beginning of the newest message, one line. */
  preview: string
  unread: number
}

export type ConversationMessage = {
  id: string
  /** An agent's name, or a person's handle without `@`. */
  from: string
  isPerson: boolean
  /** Written by whoever asks. */
  isMine: boolean
  /** The sending agent's machine; null for a person. */
  machine: string | null
  body: string
  thread: string | null
  replyTo: string | null
  sentAt: number
  /** How far it came: to each recipient for what a person wrote; null for what arrived here. */
  receipts: { to: string; state: DeliveryState; reason: string | null }[] | null
}

export type ConversationPage = {
  conversation: ConversationRow
  /** Oldest first. */
  rows: ConversationMessage[]
  /** For what came before; null at the beginning. */
  nextCursor: string | null
}

export type ChannelRow = {
  name: string
  topic: string | null
  members: { kind: 'agent' | 'person'; name: string; machine: string | null; status: AgentStatus | null }[]
  /** Whether the viewer gets its messages. */
  isMember: boolean
  createdBy: string
  createdAt: number
  lastAt: number | null
  unread: number
}

/** One step of the way to a first message; derived from data, never stored. */
export type ChecklistStep = {
  key: 'organization' | 'machine' | 'agent' | 'secondAgent' | 'message'
  isDone: boolean
  /** What happened, when done: `alice-mbp, 2 min ago` is written by the page from these. */
  label: string | null
  at: number | null
}

export type OverviewView = {
  checklist: ChecklistStep[]
  /** True once every step has happened: then the page shows the organization instead of the checklist. */
  isSetUp: boolean
  figures: {
    delivered24h: number
    /** null without a delivered message in the window. */
    p50Ms: number | null
    p95Ms: number | null
    p99Ms: number | null
    localShare: number | null
    relayShare: number | null
    waiting: number
    oldestWaitingAt: number | null
    failed24h: number
    /** Delivered per hour, oldest first, 24 values. */
    deliveredByHour: number[]
  }
  machines: MachineRow[]
  latest: MessageRow[]
  failures: MessageRow[]
  /** Per recipient: how many wait and since when. */
  waitingByAgent: { agent: string; machine: string; count: number; oldestAt: number }[]
}

/** What a person sees before approving a machine. */
export type LinkRequestView = {
  userCode: string
  machineName: string
  platform: string
  version: string
  address: string
  createdAt: number
  expiresAt: number
  wantedOrg: string | null
  state: 'pending' | 'approved' | 'denied' | 'expired'
}

export type NewMachineKey = { key: string; machine: { id: string; name: string } }

/*
 * Procedures of the app router (input → output):
 *   me.get: void → MeView
 *   orgs.create: { name, slug? } → OrgSummary          orgs.get: { org } → OrgView       orgs.update: { org, name } → OrgSummary
 *   orgs.setArchive: { org, isOn } → OrgArchive
 *   overview.get: { org } → OverviewView
 *   agents.list: { org, q?, status? } → AgentRow[]
 *   machines.list: { org } → MachineRow[]              machines.createKey: { org, name } → NewMachineKey
 *   machines.revoke: { org, machineId } → { done: true }
 *   network.get: { org } → NetworkView
 *   messages.list: { org, cursor?, limit?, state?: 'all' | 'waiting' | 'failed', q?, since? } → MessagePage
 *   messages.get: { org, id } → MessageDetail
 *   inbox.list: { org } → ConversationRow[]            inbox.get: { org, key, cursor? } → ConversationPage
 *   inbox.send: { org, to, body, thread?, replyTo? } → { id, key }     `to`: Name or #channel      inbox.markRead: { org, key } → { done: true }
 *   channels.list: { org } → ChannelRow[]              channels.create: { org, name, topic? } → ChannelRow
 *   channels.join / channels.leave: { org, name, agent? } → { done: true }     without `agent`: the person who asks
 *   channels.update: { org, name, topic } → ChannelRow channels.remove: { org, name } → { done: true }
 *   link.inspect: { userCode } → LinkRequestView       link.approve: { userCode, org } → { machine, org }      link.deny: { userCode } → { done: true }
 * `org` is an id or a slug; whoever is not a member gets NOT_FOUND.
 */
