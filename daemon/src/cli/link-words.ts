/** How machines are linked, in the words of status, machines and ping. */
import type { LinkView, MachineView } from '@agent-relay/protocol/local'
import type { z } from 'zod'
import { latency } from './times.ts'

type Machine = z.infer<typeof MachineView>

/** `lan 192.168.1.23:41650`, or as much of it as is known. */
export const addressOf = ({ kind, remote }: Pick<z.infer<typeof LinkView>, 'kind' | 'remote'>): string =>
  [kind, remote].filter((word) => word !== null).join(' ')

/** `direct lan 192.168.1.23:41650 3ms`, `relay 61ms`; null while nothing leads to it. */
export function pathWords({ path, latencyMs, link }: Machine): string | null {
  const took = latencyMs === null ? '' : ` ${latency(latencyMs)}`
  if (link?.state === 'direct') return `direct ${addressOf(link)}${took}`
  if (path === null) return null
  if (link?.state === 'suspect') return `${path}${took}, direct ${addressOf(link)} does not answer`
  if (link?.state === 'probing' && path === 'relay') return `${path}${took}, looking for a direct link`
  return `${path}${took}`
}
