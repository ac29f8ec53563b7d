/** Who is in the organization, as its machines know it. Versions only grow; a delta applies to exactly one version. */
import { z } from 'zod'
import { MachineId } from './envelope.ts'
import { AgentName, ChannelName, MachineName, ProjectName, UserHandle } from './names.ts'
import { PublicKey, SealKeys, Signature } from './seal-key.ts'

/** working, idle and waiting come from an adapter that knows; `online` when nothing better is known. */
export const AgentStatus = z.enum(['online', 'working', 'idle', 'waiting', 'offline'])
export type AgentStatus = z.infer<typeof AgentStatus>

export const RosterMachine = z.object({
  id: MachineId,
  name: MachineName,
  /** The person who linked it. */
  person: z.string().max(100),
  platform: z.string().max(40),
  version: z.string().max(40),
  publicKey: z.string().max(100).nullable(),
  /** Newest first; a machine without any is too old to open sealed messages. Since version 3. */
  seals: SealKeys.optional(),
  isOnline: z.boolean(),
  /** ms since 1970 on the control plane's clock. */
  lastSeenAt: z.int().nullable(),
})
export type RosterMachine = z.infer<typeof RosterMachine>

export const RosterAgent = z.object({
  name: AgentName,
  machine: MachineId,
  epoch: z.int().positive(),
  status: AgentStatus,
  project: ProjectName.nullable(),
  client: z.string().max(40).nullable(),
  model: z.string().max(80).nullable(),
  person: z.string().max(100),
  lastSeenAt: z.int().nullable(),
})
export type RosterAgent = z.infer<typeof RosterAgent>

export const RosterPerson = z.object({ handle: UserHandle, name: z.string().max(100) })
export type RosterPerson = z.infer<typeof RosterPerson>

export const RosterChannel = z.object({
  name: ChannelName,
  /** Name keys of the agents that get its messages. */
  members: z.array(z.string().max(64)),
  /** Handles of the people who get them in the dashboard. */
  people: z.array(UserHandle).optional(),
  topic: z.string().max(200).optional(),
})
export type RosterChannel = z.infer<typeof RosterChannel>

export const Roster = z.object({
  version: z.int().nonnegative(),
  org: z.object({ id: z.string(), slug: z.string(), name: z.string() }),
  machines: z.array(RosterMachine),
  agents: z.array(RosterAgent),
  /** The machine under whose id the control plane takes messages for people and channels; since version 2. */
  cloud: MachineId.optional(),
  people: z.array(RosterPerson).optional(),
  channels: z.array(RosterChannel).optional(),
  /** The X25519 key to which the organization's archive wants every body sealed too; null while it is off. Since version 3. */
  archive: PublicKey.nullable().optional(),
})
export type Roster = z.infer<typeof Roster>

export const RosterDelta = z.object({
  /** The version that this delta changes; whoever holds another asks for the whole roster. */
  base: z.int().nonnegative(),
  version: z.int().positive(),
  machines: z.array(RosterMachine),
  agents: z.array(RosterAgent),
  removedMachines: z.array(MachineId),
  /** Name keys. */
  removedAgents: z.array(z.string()),
  /** All of them, when any of them changed. */
  people: z.array(RosterPerson).optional(),
  channels: z.array(RosterChannel).optional(),
  /** When it changed. */
  archive: PublicKey.nullable().optional(),
})
export type RosterDelta = z.infer<typeof RosterDelta>

/**
 * A text that the organization's control key signed, exactly as it was signed: no two programs have to agree on how to write
 * JSON. `text` is a Roster, a RosterDelta or a Freshness; what is signed is signedText of it.
 */
export const Signed = z.object({ text: z.string(), signature: Signature })
export type Signed = z.infer<typeof Signed>
/** What the text is: a signature for one is none for another. */
export type SignedKind = 'roster' | 'delta' | 'fresh'

/** That this version was the organization's newest at `at`, ms since 1970 on the control plane's clock. */
export const Freshness = z.object({ org: z.string(), version: z.int().nonnegative(), at: z.int().nonnegative() })
export type Freshness = z.infer<typeof Freshness>

/** Without a word from the control plane a roster is doubted after this, and after the second not used for links any more. */
export const ROSTER_SOFT_MS = 15 * 60_000
export const ROSTER_HARD_MS = 24 * 3_600_000
