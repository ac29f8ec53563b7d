import { spawn } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * A new folder that goes when this process does, however it ends. A Postgres whose pid stands in `pidFile` below it
 * (first line) is ended first: a `finally` does not run after kill -9, and Ctrl-C twice is no better.
 */
export function reapedFolder(prefix: string, pidFile: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), prefix))
  const reaper = spawn(
    process.execPath,
    [fileURLToPath(new URL('./reaper.ts', import.meta.url)), folder, path.join(folder, pidFile)],
    { stdio: ['pipe', 'ignore', 'ignore'], detached: true },
  )
  reaper.unref()
  ;(reaper.stdin as unknown as { unref(): void }).unref()
  return folder
}
