/** Names of recipients beside agents': `@carol` and `#ops`, as they stand in rows, streams and envelopes. */
import { DASHBOARD_AGENT, type Recipient } from '@agent-relay/protocol'
import type { z } from 'zod'

type Row = { toAgent: string; project: string | null; via: string | null }

/** Whom an envelope to this machine names. People and channels are at the control plane's own machine. */
export function recipientOf(machine: string, { toAgent, project, via }: Row): z.infer<typeof Recipient> {
  if (toAgent.startsWith('@')) return { machine, agent: DASHBOARD_AGENT, user: toAgent.slice(1) }
  if (toAgent.startsWith('#')) return { machine, agent: DASHBOARD_AGENT, channel: toAgent.slice(1) }
  return {
    machine,
    agent: toAgent,
    ...(project !== null && { project }),
    ...(via !== null && { via }),
    ...(via?.startsWith('#') && { channel: via.slice(1) }),
  }
}
