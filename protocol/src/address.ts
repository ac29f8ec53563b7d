/** What may stand after `->relay:` and `agent-relay send`. Parsing is total: a bad address is a reason, not an exception. */
import type { z } from 'zod'
import { AgentName, ChannelName, ProjectName, UserHandle } from './names.ts'

export type Address =
  | { kind: 'agent'; name: string; project?: string }
  | { kind: 'project'; project: string }
  | { kind: 'own-project' }
  | { kind: 'everyone' }
  | { kind: 'channel'; channel: string }
  | { kind: 'user'; user: string }

export type ParsedAddress = { ok: true; address: Address } | { ok: false; reason: string }

/** Reads `Name`, `project:Name`, `project:*`, `*`, `*:*`, `#channel`, `@user`. */
export function parseAddress(text: string): ParsedAddress {
  if (text === '*') return { ok: true, address: { kind: 'own-project' } }
  if (text === '*:*') return { ok: true, address: { kind: 'everyone' } }
  if (text.startsWith('#')) return named(ChannelName, text.slice(1), (channel) => ({ kind: 'channel', channel }))
  if (text.startsWith('@')) return named(UserHandle, text.slice(1), (user) => ({ kind: 'user', user }))
  const colon = text.indexOf(':')
  if (colon < 0) return named(AgentName, text, (name) => ({ kind: 'agent', name }))
  const project = ProjectName.safeParse(text.slice(0, colon))
  if (!project.success) return { ok: false, reason: problem(text, project.error.issues[0]?.message) }
  const rest = text.slice(colon + 1)
  if (rest === '*') return { ok: true, address: { kind: 'project', project: project.data } }
  return named(AgentName, rest, (name) => ({ kind: 'agent', name, project: project.data }))
}

/** The text that parses to this address. */
export function formatAddress(address: Address): string {
  switch (address.kind) {
    case 'agent':
      return address.project === undefined ? address.name : `${address.project}:${address.name}`
    case 'project':
      return `${address.project}:*`
    case 'own-project':
      return '*'
    case 'everyone':
      return '*:*'
    case 'channel':
      return `#${address.channel}`
    case 'user':
      return `@${address.user}`
  }
}

function named(grammar: z.ZodType<string>, text: string, make: (name: string) => Address): ParsedAddress {
  const name = grammar.safeParse(text)
  return name.success
    ? { ok: true, address: make(name.data) }
    : { ok: false, reason: problem(text, name.error.issues[0]?.message) }
}

function problem(text: string, why: string | undefined): string {
  return `${JSON.stringify(text.slice(0, 80))} is not an address: ${why ?? 'unreadable'}`
}
