/** What a page holds of one conversation while answers come in: one list, oldest first, without a gap. Pure. */
import type { ConversationMessage, ConversationPage } from '#lib/trpc/views.ts'

/** The newest page with whatever was loaded above it; `above` says which cursor brought what, the nearest first. */
export type Loaded = ConversationPage & { above?: Above[] }
type Above = { cursor: string; ids: string[] }

/** Whether nothing is missing between what is held and this page of newer messages. */
export function joins(held: Loaded, page: ConversationPage): boolean {
  const first = page.rows[0]
  return first === undefined || held.rows.length === 0 || held.rows.some(({ id }) => id === first.id)
}

/** The newest page over what is held: it decides how its messages look now, and what is older stays. */
export function withNewest(held: Loaded | undefined, page: ConversationPage): Loaded {
  const first = page.rows[0]
  const at = held && first ? held.rows.findIndex(({ id }) => id === first.id) : -1
  if (!held || at < 0) return page
  return {
    ...page,
    rows: [...held.rows.slice(0, at), ...page.rows],
    nextCursor: held.nextCursor,
    above: held.above ?? [],
  }
}

/** What came before, as `cursor` brought it. */
export function withOlder(held: Loaded, cursor: string, page: ConversationPage): Loaded {
  const known = new Set(held.rows.map(({ id }) => id))
  const rows = page.rows.filter(({ id }) => !known.has(id))
  const above = [...(held.above ?? []), { cursor, ids: rows.map(({ id }) => id) }]
  return { ...held, rows: [...rows, ...held.rows], nextCursor: page.nextCursor, above }
}

/** An older page asked for once more, because something of it was still under way. */
export function withAgain(held: Loaded, page: ConversationPage): Loaded {
  const now = new Map(page.rows.map((row) => [row.id, row]))
  return { ...held, rows: held.rows.map((row) => now.get(row.id) ?? row) }
}

const isUnderWay = ({ receipts }: ConversationMessage): boolean =>
  receipts?.some(({ state }) => state === 'queued' || state === 'stored' || state === 'accepted') ?? false

/** Cursors of older pages with a message that has not reached its recipient yet. */
export function unfinished(held: Loaded): string[] {
  const moving = new Set(held.rows.filter(isUnderWay).map(({ id }) => id))
  return (held.above ?? []).filter(({ ids }) => ids.some((id) => moving.has(id))).map(({ cursor }) => cursor)
}
