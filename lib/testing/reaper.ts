// Waits until its parent is gone (its stdin closes), then ends the Postgres of a pid file and removes a folder.
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { isAlive, isPostgres } from '../db/embedded/process.ts'

const [folder, pidFile] = process.argv.slice(2) as [string, string]
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})

process.stdin.resume()
process.stdin.once('end', async () => {
  const pid = existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8').split('\n')[0]) : 0
  if (pid > 0 && isPostgres(pid)) process.kill(pid, 'SIGQUIT')
  while (pid > 0 && isAlive(pid)) await delay(20)
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
})
