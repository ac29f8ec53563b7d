/** Slugs: the word of an organization in URLs. Made from its name, unique, never a word that the app itself needs. */
import { OrgSlug } from '@agent-relay/protocol'
import { isId } from '#lib/access/authorize.ts'
import { reservedSlugs } from '#lib/paths.ts'
import type { Tx } from '../context.ts'

const maxLength = 39
/** Room for `-999`, so that a suggestion of the longest slug is still a slug. */
const numbered = (base: string, n: number): string => `${base.slice(0, maxLength - 4).replace(/-+$/, '')}-${n}`

/** Why nobody may have this slug, or undefined when only another organization could stand in the way. */
export function slugProblem(slug: string): string | undefined {
  const parsed = OrgSlug.safeParse(slug)
  if (!parsed.success) return parsed.error.issues[0]?.message ?? 'this is not a slug'
  if (reservedSlugs.has(slug)) return `"${slug}" is a word that the app itself uses`
  if (isId(slug)) return 'a slug must not look like an id'
  return undefined
}

/**
 * `wanted` itself when it is free, else the first free of wanted-2, wanted-3, … Whoever else wants the same waits until this
 * transaction ends; only a slug that was wanted under another word, such as acme-2 itself, can still be lost to somebody.
 */
export async function freeSlug(tx: Tx, wanted: string): Promise<string> {
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${`slug:${wanted}`}, 0))`
  for (let from = 2; ; from += 50) {
    const candidates = Array.from({ length: 50 }, (_, i) => numbered(wanted, from + i))
    if (from === 2 && slugProblem(wanted) === undefined) candidates.unshift(wanted)
    const taken = await tx.organization.findMany({ where: { slug: { in: candidates } }, select: { slug: true } })
    const free = candidates.find((candidate) => !taken.some(({ slug }) => slug === candidate))
    if (free) return free
  }
}
