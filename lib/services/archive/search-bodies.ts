import type { OrgCtx } from '#lib/access/authorize.ts'
import type { Prisma } from '#lib/db/generated/client.ts'

/**
 * Ids of the newest archived messages whose bodies have all these words, at most `limit`; a text in quotes is looked for as it
 * stands. `where` speaks of the trace as `t`. The caller has authorized the reading of messages.
 */
export async function searchBodies(
  { db, org }: OrgCtx,
  text: string,
  { where, limit }: { where: Prisma.Sql; limit: number },
): Promise<string[]> {
  const rows = await db.$queryRaw<{ id: string }[]>`
    SELECT t."messageId"::text AS id FROM "ArchivedMessage" a
      JOIN "MessageTrace" t ON t."orgId" = a."orgId" AND t."messageId" = a."messageId"
    WHERE a."orgId" = ${org.id}::uuid AND ${where} AND archive_words(a."orgId", a.body)
      @@ (quote_literal(${`org ${org.id}`})::tsquery && websearch_to_tsquery('simple', ${text}))
    ORDER BY t."sentAt" DESC, t."messageId" DESC LIMIT ${limit}`
  return rows.map(({ id }) => id)
}
