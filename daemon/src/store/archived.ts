/** How far the messages sent from here are in the organization's archive. */
import type { DatabaseSync } from 'node:sqlite'
import { z } from 'zod'

const ArchiveMark = z.object({ key: z.string(), upTo: z.int().nonnegative() })
/** For the archive with this key, everything up to this place was sent; for another one nothing. */
export type ArchiveMark = z.infer<typeof ArchiveMark>

export function archivedIn(db: DatabaseSync): ArchiveMark | undefined {
  const row = db.prepare("SELECT value FROM meta WHERE key = 'archived'").get() as { value: string } | undefined
  return row === undefined ? undefined : ArchiveMark.safeParse(JSON.parse(row.value)).data
}

export function noteArchived(db: DatabaseSync, mark: ArchiveMark | undefined): void {
  if (mark === undefined) db.exec("DELETE FROM meta WHERE key = 'archived'")
  else db.prepare("INSERT OR REPLACE INTO meta (key, value) VALUES ('archived', ?)").run(JSON.stringify(mark))
}
