/** Knows whether something was made from the sources as they are now: by their content, because checkouts change times. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const isSource = (name: string): boolean =>
  !/^(node_modules|dist|generated|testing|\..*)$/.test(name) && !/\.test\.tsx?$/.test(name)

/** A hash over files and folders; tests and generated folders do not count, missing ones count as empty. */
export function hashSources(entries: string[]): string {
  const hash = createHash('sha256')
  const add = (entry: string): void => {
    if (!existsSync(entry)) return
    if (statSync(entry).isDirectory())
      for (const name of readdirSync(entry).filter(isSource).sort()) add(path.join(entry, name))
    else hash.update(`${entry}\0`).update(readFileSync(entry)).update('\0')
  }
  for (const entry of entries) add(entry)
  return hash.digest('hex')
}

/** Runs `make` unless `stamp` says that it already ran on these sources; a run that throws leaves no stamp. */
export async function makeWhenStale(stamp: string, sources: string[], make: () => Promise<void>): Promise<boolean> {
  const hash = hashSources(sources)
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return false
  await make()
  mkdirSync(path.dirname(stamp), { recursive: true })
  writeFileSync(stamp, hash)
  return true
}
