import type { Hop } from '@agent-relay/protocol'
import { defineCommand } from './command.ts'
import { withDaemon } from './daemon-connection.ts'
import { EXIT } from './exit.ts'
import { alignColumns } from './table.ts'
import { latency } from './times.ts'

export const command = defineCommand({
  name: 'trace',
  summary: "a message's way, hop by hop",
  usage: 'ID',
  hasJson: true,
  details:
    'ID is a message id or its first characters, as send and inbox print it. Offsets are since it was queued here, or accepted here.',
  async run({ args: [message = ''], options }, io) {
    const trace = await withDaemon((connection) => connection.request('trace', { message }))
    if (options.json) {
      io.printJson(trace)
      return EXIT.ok
    }
    const took = trace.tookMs === null ? '' : ` in ${latency(trace.tookMs)}`
    const path = trace.path === null ? '' : ` via ${trace.path}`
    io.print(`${trace.id}  ${trace.from} → ${trace.to}  ${io.paint('bold', trace.state)}${path}${took}`)
    for (const line of alignColumns(trace.hops.map(hopRow))) io.print(line)
    if (trace.reason !== null) io.print(`reason: ${trace.reason}`)
    return EXIT.ok
  },
})

/** An offset is on the sender's clock; without one only the other machine's clock knows. */
const hopRow = (hop: Hop): string[] => [
  hop.atMs === undefined ? '      ?' : `+${latency(hop.atMs)}`.padStart(7),
  hop.kind,
  hop.where,
  [hop.attempt && hop.attempt > 1 ? `attempt ${hop.attempt}` : undefined, wayOf(hop)].filter(Boolean).join(', '),
]

/** `directly (lan 192.168.1.23:41650)` for what left by a direct link; the address is known while that link lasts. */
function wayOf({ kind, path, note }: Hop): string {
  if (path === 'direct' && (kind === 'sent' || kind === 'retry')) return note ? `directly (${note})` : 'directly'
  return [path, note].filter(Boolean).join(', ')
}
