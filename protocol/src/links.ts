/** How machines can be reached, and what the control plane is told and asked of it. */
import { z } from 'zod'
import { MachineId, Sealed } from './envelope.ts'

/** How a machine can be reached, the nearest first. `relay` is always there and needs no candidate. */
export const CandidateKind = z.enum(['local', 'vpn', 'lan', 'public', 'advertised', 'mapped', 'punched'])
export type CandidateKind = z.infer<typeof CandidateKind>

export const MAX_CANDIDATES = 16
export const Candidate = z.object({
  kind: CandidateKind,
  /** An IP address, or a host name when a person advertised one. */
  host: z.string().min(1).max(253),
  port: z.int().min(1).max(65_535),
})
export type Candidate = z.infer<typeof Candidate>

/** A signal on its way through the control plane, which reads nothing but to whom. */
export const SignalOut = z.object({ to: MachineId, id: z.uuid(), sealed: Sealed })
export type SignalOut = z.infer<typeof SignalOut>
export const SignalIn = z.object({ from: MachineId, id: z.uuid(), sealed: Sealed })
export type SignalIn = z.infer<typeof SignalIn>

/** How a machine's link to another is, as its dashboard shows it. */
export const LinkState = z.enum(['relay', 'probing', 'direct', 'suspect'])
export type LinkState = z.infer<typeof LinkState>
export const LinkReport = z.object({
  machine: MachineId,
  state: LinkState,
  kind: CandidateKind.nullable(),
  latencyMs: z.number().nonnegative().nullable(),
  /** Why this path, in words for a person. */
  why: z.string().max(200),
  /** ms since it is so, on the reporter's clock. */
  forMs: z.number().nonnegative(),
})
export type LinkReport = z.infer<typeof LinkReport>

/** Asks the control plane to call back at the address that it sees, on this port: whether a public candidate is one. */
export const ReachQuery = z.object({ port: z.int().min(1024).max(65_535) })
export type ReachQuery = z.infer<typeof ReachQuery>
export const ReachAnswer = z.object({
  /** The address that the control plane sees; null when a proxy hides it. */
  address: z.string().max(64).nullable(),
  /** Whether this machine, by its key, answered there. */
  isReachable: z.boolean(),
  why: z.string().max(200),
})
export type ReachAnswer = z.infer<typeof ReachAnswer>

/** GET /api/reflect: from where the control plane sees this very connection; `port` is null behind a proxy. */
export const Reflection = z.object({ address: z.string().max(64).nullable(), port: z.int().nullable() })
export type Reflection = z.infer<typeof Reflection>
