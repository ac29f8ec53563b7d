/** Names of agents, machines, projects and organizations: one grammar each, used by every floor of the house. */
import { distance } from 'fastest-levenshtein'
import { z } from 'zod'

/** AgentName as an expression, for checks that come by the thousand. */
export const AGENT_NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/

/** 1–64 of letters, digits, `-`, `_`, first a letter. Matched without case, shown as registered. */
export const AgentName = z
  .string()
  .regex(AGENT_NAME, 'a name is 1 to 64 letters, digits, "-" or "_", and starts with a letter')
export type AgentName = z.infer<typeof AgentName>

/** The client of a person's own name, which no program runs under: broadcasts and plans are for agents. */
export const PERSON_CLIENT = 'person'

/** A project is a repository's short name or a project group; dots are allowed because repositories have them. */
export const PROJECT_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
export const ProjectName = z.string().regex(PROJECT_NAME, 'a project is 1 to 64 letters, digits, ".", "-" or "_"')
export type ProjectName = z.infer<typeof ProjectName>

/** Machine names follow host names: letters, digits, `-`, `_`, `.`. */
export const MachineName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'a machine name is 1 to 63 letters, digits, ".", "-" or "_"')
export type MachineName = z.infer<typeof MachineName>

/** A person, as `@handle` names them: the GitHub login, which may start with a digit, or the local user's name. */
export const UserHandle = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, 'a person is 1 to 64 letters, digits, "-" or "_"')
export type UserHandle = z.infer<typeof UserHandle>

/** A channel, as `#name` names it; matched without case like agents. */
export const ChannelName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, 'a channel is 1 to 64 letters, digits, "-" or "_"')
export type ChannelName = z.infer<typeof ChannelName>

/** Who a message is from or for: an agent's name, `@person` or `#channel`. */
export const Party = z.string().regex(/^[@#]?[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/)

/** The slug of an organization, as it stands in URLs. */
export const OrgSlug = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,37}[a-z0-9])?$/, 'a slug is 1 to 39 lower-case letters, digits or inner "-"')

/** The form in which names are compared and kept unique. */
export const nameKey = (name: string): string => name.toLowerCase()

/**
 * The names most like `wanted`, best first, at most `limit`; only those near enough to be a slip of the finger
 * (distance ≤ 0.4 of the longer name; two swapped neighbours count as one slip), plus names that begin with it.
 */
export function nearestNames(wanted: string, known: Iterable<string>, limit = 3): string[] {
  const key = nameKey(wanted)
  const scored: { name: string; score: number }[] = []
  for (const name of known) {
    const other = nameKey(name)
    const score = isSwap(key, other) ? 1 : distance(key, other)
    const isPrefix = key.length >= 2 && (other.startsWith(key) || key.startsWith(other))
    if (score <= Math.max(1, Math.round(Math.max(key.length, other.length) * 0.4)) || isPrefix)
      scored.push({ name, score })
  }
  return scored
    .sort((a, b) => a.score - b.score || a.name.localeCompare(b.name))
    .slice(0, limit)
    .map((entry) => entry.name)
}

/** Whether the two differ in nothing but two neighbours that changed places, the commonest slip of all. */
function isSwap(a: string, b: string): boolean {
  if (a.length !== b.length) return false
  let at = 0
  while (at < a.length && a[at] === b[at]) at++
  return a[at] === b[at + 1] && a[at + 1] === b[at] && a.slice(at + 2) === b.slice(at + 2) && at + 1 < a.length
}

/** A free name like `name`: `name-2`, `name-3`, …; `isTaken` gets keys (see nameKey). */
export function suggestName(name: string, isTaken: (key: string) => boolean): string {
  for (let n = 2; ; n++) {
    const candidate = `${name.slice(0, 63 - String(n).length)}-${n}`
    if (!isTaken(nameKey(candidate))) return candidate
  }
}

/** Any text made into a valid agent or machine name, or undefined when nothing of it can stay. */
export function toName(text: string): string | undefined {
  const cleaned = text
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .replace(/[^A-Za-z0-9_-]+/g, '-')
    .replace(/^[^A-Za-z]+|-+$/g, '')
    .slice(0, 64)
  return AGENT_NAME.test(cleaned) ? cleaned : undefined
}

const maxSlug = 39

/** The slug that a name becomes, or undefined when nothing of the name can stand in a URL. */
export function toSlug(name: string): string | undefined {
  const slug = name
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase()
    .replace(/['’]/g, '')
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, maxSlug)
    .replace(/^-+|-+$/g, '')
  return OrgSlug.safeParse(slug).success ? slug : undefined
}
