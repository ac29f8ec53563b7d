import type { NetcheckView } from '@agent-relay/protocol/local'
import type { z } from 'zod'
import { defineCommand } from './command.ts'
import { withDaemon } from './daemon-connection.ts'
import { EXIT } from './exit.ts'
import { latency } from './times.ts'

type Netcheck = z.infer<typeof NetcheckView>

export const command = defineCommand({
  name: 'netcheck',
  summary: 'how this machine can be reached, and by whom',
  hasJson: true,
  details:
    'The control plane and the router are asked anew, which takes up to 10s. Exit 1 when the control plane cannot be reached, 3 when\nthis machine is not linked.',
  examples: ['agent-relay netcheck', 'agent-relay netcheck --json | jq .candidates'],
  async run({ options }, io) {
    const found = await withDaemon((connection) => connection.request('netcheck', {}), { asPerson: true })
    if (options.json) io.printJson(found)
    else for (const line of reportLines(found)) io.print(line)
    if (found.control.url === null) return EXIT.notLinked
    return found.control.isReachable ? EXIT.ok : EXIT.failure
  },
})

/** A report as Tailscale prints it: one fact a line, and what to do about them at the end. */
export function reportLines(found: Netcheck): string[] {
  const { direct, ipv4, ipv6, seenAs, mapping, punch, candidates, advice } = found
  const facts: [string, string][] = [
    ['Control plane', controlWords(found.control)],
    ['IPv4', yesNo(ipv4.length > 0, ipv4.join(', '))],
    ['IPv6', yesNo(ipv6.length > 0, ipv6.join(', '))],
    ['Seen as', seenAs ?? 'unknown: a proxy hides it, or the control plane was not asked'],
    ['Listening', direct.isOn ? listenerWords(found) : `no, ${direct.why}`],
    ['Port mapping', mapping.external === null ? `no, ${mapping.why}` : `yes, ${mapping.external}`],
    ['NAT keeps ports', punch.isPossible === null ? `unknown, ${punch.why}` : yesNo(punch.isPossible, punch.why)],
    ['Candidates', candidates.length === 0 ? 'none' : ''],
  ]
  return [
    'Report:',
    ...facts.map(([name, words]) => `    * ${name}: ${words}`.trimEnd()),
    ...candidates.map((candidate) => `        - ${candidateWords(candidate)}`),
    ...(advice === null ? [] : ['', `# ${advice}`]),
  ]
}

const yesNo = (isYes: boolean, words: string): string =>
  words === '' ? (isYes ? 'yes' : 'no') : `${isYes ? 'yes' : 'no'}, ${words}`

function controlWords({ url, isReachable, latencyMs, reason }: Netcheck['control']): string {
  if (url === null) return 'none, this machine is not linked'
  if (!isReachable) return `${url} cannot be reached: ${reason}`
  return latencyMs === null ? url : `${url}, ${latency(latencyMs)}`
}

function listenerWords({ port, isReached, direct }: Netcheck): string {
  if (port === null) return `no, ${direct.why}`
  const reached =
    isReached === null
      ? 'whether it is open to the outside could not be tried'
      : `${isReached ? '' : 'not '}reached from outside`
  return `port ${port}, ${reached}`
}

function candidateWords({ kind, host, port, isReachable, why }: Netcheck['candidates'][number]): string {
  const address = `${kind} ${host.includes(':') ? `[${host}]` : host}:${port}`
  return isReachable === null ? address : `${address}, ${isReachable ? 'reached' : `not reached: ${why}`}`
}
