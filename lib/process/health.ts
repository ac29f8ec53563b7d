/** Health: the process answers. Readiness: send it traffic. */
import { getDb } from '#lib/db/client.ts'
import packageJson from '../../package.json' with { type: 'json' }
import { processState } from './state.ts'

/** A load balancer asks every few seconds; an answer later than this is as good as none. */
const databaseWithinMs = 2_000

export type Readiness = { ready: true } | { ready: false; reason: string }

export function checkHealth(): { status: 'ok'; version: string; uptimeSeconds: number } {
  const uptimeSeconds = Math.round((Date.now() - processState().startedAtMs) / 1000)
  return { status: 'ok', version: packageJson.version, uptimeSeconds }
}

/** Not ready while draining, and not without a database that answers within 2 s. Never throws. */
export async function checkReadiness(): Promise<Readiness> {
  if (processState().draining) return { ready: false, reason: 'draining' }
  const { promise: late, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(resolve, databaseWithinMs, false)
  const ask = async (): Promise<boolean> => {
    await getDb().$queryRaw`SELECT 1`
    return true
  }
  const answered = ask().catch(() => false)
  const isUp = await Promise.race([answered, late])
  clearTimeout(timer)
  return isUp ? { ready: true } : { ready: false, reason: 'the database does not answer' }
}
