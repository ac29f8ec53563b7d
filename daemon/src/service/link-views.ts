/** The ways to other machines as people see them: in status, ping, trace and netcheck. */
import type { LinkView } from '@agent-relay/protocol/local'
import type { PeerView } from '../peers/transport.ts'

/** `192.168.1.23:41650`, `[2001:db8::20]:41650`. */
export const hostPort = ({ host, port }: { host: string; port: number }): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`

/** What the schema lets through: words of a cause may be of any length. */
export const shortly = (why: string): string => (why.length <= 200 ? why : `${why.slice(0, 199)}…`)

/** `now` on the daemon's clock. */
export const linkView = (view: PeerView, now: number): LinkView => ({
  state: view.state,
  kind: view.kind,
  remote: view.remote && hostPort(view.remote),
  latencyMs: view.latencyMs,
  why: shortly(view.why),
  forMs: Math.max(0, now - view.since),
})

/** The link by which a message left at `at` for this machine, when it is still the same one; else nobody knows any more. */
export const linkOf = (views: readonly PeerView[], machine: string, at: number): PeerView | undefined =>
  views.find((view) => view.machine === machine && view.state === 'direct' && view.since <= at)
