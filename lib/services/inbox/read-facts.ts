import { type Envelope, nameKey } from '@agent-relay/protocol'
import type { Tx } from '../context.ts'
import type { Facts, Room } from './judge-envelope.ts'
import { peopleOf } from './people.ts'

/** Everything that judging these envelopes needs, in a few statements however many they are. */
export async function readFacts(tx: Tx, orgId: string, envelopes: Envelope[]): Promise<Facts> {
  const wanted = new Set(envelopes.flatMap(({ to }) => (to.user === undefined ? [] : [nameKey(to.user)])))
  const named = new Set(envelopes.flatMap(({ to }) => (to.channel === undefined ? [] : [nameKey(to.channel)])))
  const people = new Map<string, string>()
  if (wanted.size > 0)
    for (const { handle, userId } of await peopleOf(tx, orgId))
      if (wanted.has(nameKey(handle))) people.set(nameKey(handle), userId)
  const channels = new Map<string, string>()
  const rooms = await unreadOf(tx, orgId, [...people.values()])
  if (named.size > 0) {
    // Kept from being removed until the commit: a message for it would then have no place.
    const rows = await tx.$queryRaw<{ id: string; key: string; messages: number }[]>`
      SELECT id::text, "nameKey" AS key, "messageCount" AS messages FROM "Channel"
      WHERE "orgId" = ${orgId}::uuid AND "nameKey" = ANY(${[...named]}::text[]) ORDER BY id FOR KEY SHARE`
    for (const { id, key, messages } of rows) {
      channels.set(key, id)
      rooms.set(id, { messages, sizeBytes: 0 })
    }
  }
  return { people, channels, rooms }
}

async function unreadOf(tx: Tx, orgId: string, userIds: string[]): Promise<Map<string, Room>> {
  if (userIds.length === 0) return new Map()
  const rows = await tx.$queryRaw<({ id: string } & Room)[]>`
    SELECT "userId"::text AS id, count(*)::int AS messages, sum("sizeBytes")::float8 AS "sizeBytes" FROM "DashboardMessage"
    WHERE "orgId" = ${orgId}::uuid AND "userId" = ANY(${userIds}::uuid[]) AND "seenAt" IS NULL GROUP BY 1`
  return new Map(rows.map(({ id, ...room }) => [id, room]))
}
