/** A damaged relay.db is moved aside, never deleted, and a new one takes its place with what could be read of it. */
import { existsSync, renameSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { State } from '../core/state.ts'
import { createDatabase } from './database.ts'
import { removeMark } from './mark.ts'
import { type Salvaged, salvage, type Untold } from './salvage.ts'

/** What happened to the file before this one; kept in this one. */
export type Damage = Omit<Salvaged, 'untold'> & {
  /** ms since 1970. */
  at: number
  why: string
  /** Where the old file is; null when it was gone. */
  aside: string | null
}

/** `why`: what is wrong with it, as the end of a sentence. */
export type Fault = { why: string; isRolledBack: boolean }

const suffixes = ['', '-wal', '-shm']

/** Replaces the file at `path`. Throws what SQLite throws when there is no room for a new one; the old one is then in its place. */
export function replaceDamaged(path: string, { why, isRolledBack }: Fault, memory: State | undefined): void {
  const draft = `${path}.new`
  for (const suffix of suffixes) rmSync(draft + suffix, { force: true })
  const at = Date.now()
  const aside = existsSync(path) ? `${path}.broken-${new Date(at).toISOString().replace(/[:.]/g, '-')}` : null
  const fresh = createDatabase(draft)
  try {
    const old = aside === null ? undefined : new DatabaseSync(path)
    try {
      const { untold, ...found } = salvage(old, fresh, { memory, isRolledBack, now: at })
      const put = fresh.prepare('INSERT INTO meta (key, value) VALUES (?, ?)')
      put.run('damage', JSON.stringify({ at, why, aside, ...found } satisfies Damage))
      if (untold.length > 0) put.run('untold', JSON.stringify(untold satisfies Untold[]))
    } finally {
      closeAnyway(old)
    }
  } finally {
    fresh.close()
  }
  removeMark(path)
  if (aside !== null)
    for (const suffix of suffixes) if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix)
  renameSync(draft, path)
}

/** A crash in the middle of the exchange left the new file ready and no old one. */
export function finishReplacement(path: string): void {
  if (!existsSync(path) && existsSync(`${path}.new`)) renameSync(`${path}.new`, path)
}

function closeAnyway(db: DatabaseSync | undefined): void {
  try {
    db?.close()
  } catch {
    // It is moved aside as it is.
  }
}

/** What there is to say of an earlier file: until somebody moves or deletes it; of one that was gone, for a week. */
export function damageOf(db: DatabaseSync, now: number): Damage | undefined {
  const row = db.prepare("SELECT value FROM meta WHERE key = 'damage'").get() as { value: string } | undefined
  if (row === undefined) return undefined
  const damage = JSON.parse(row.value) as Damage
  const isPast = damage.aside === null ? now - damage.at > 7 * 86_400_000 : !existsSync(damage.aside)
  return isPast ? undefined : damage
}
