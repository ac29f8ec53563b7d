/** What the control plane's network page gets to know of this machine's links: changes, gathered for a second, and all after a connect. */
import type { LinkReport } from '@agent-relay/protocol'
import type { Log } from '../log.ts'
import type { PeerView } from '../peers/transport.ts'
import type { Control } from './control.ts'

/** Live enough for eyes; a link that flaps costs one frame a second at most. */
const GATHER_MS = 1_000

export type PeerReports = {
  changed(machine: string): void
  /** Connected (again): the control plane forgets what it knew. */
  whole(): void
  stop(): void
}

type Options = { control: Pick<Control, 'trust' | 'reportLinks'>; views: () => PeerView[]; now: () => number; log: Log }

export function createPeerReports({ control, views, now, log }: Options): PeerReports {
  let changed = new Set<string>()
  let isWhole = false
  let timer: NodeJS.Timeout | undefined

  function flush(): void {
    timer = undefined
    const machines = changed
    const all = isWhole
    changed = new Set()
    isWhole = false
    // The next connection begins with all of it.
    if (!control.trust().isOnline) return
    const meant = views().filter(({ machine }) => all || machines.has(machine))
    if (!all && meant.length === 0) return
    control
      .reportLinks(
        meant.map((view) => reportOf(view, now())),
        all,
      )
      .catch((error: unknown) => log.debug('the control plane was not told of links', { reason: String(error) }))
  }

  const soon = (): void => {
    timer ??= setTimeout(flush, GATHER_MS).unref()
  }

  return {
    changed(machine) {
      changed.add(machine)
      soon()
    },
    whole() {
      isWhole = true
      soon()
    },
    stop: () => clearTimeout(timer),
  }
}

const reportOf = ({ machine, state, kind, latencyMs, why, since }: PeerView, now: number): LinkReport => ({
  ...{ machine, state, kind, latencyMs, why },
  forMs: Math.max(0, now - since),
})
