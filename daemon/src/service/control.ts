/** The daemon's side of the link to the control plane: reads to what the home is linked, carries effects out and events in. */
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { ControlLink } from '../cloud/control-link.ts'
import type { Effect } from '../core/turn.ts'
import { RelayError, toWire } from '../errors.ts'
import { type Link, readConfig } from '../home/config.ts'
import { readIdentity } from '../home/identity.ts'
import type { HomePaths } from '../home/paths.ts'
import type { Log } from '../log.ts'
import type { Store } from '../store/store.ts'
import type { Engine } from './engine.ts'
import { createTraces } from './traces.ts'
import { createUplink } from './uplink.ts'

export type Control = {
  /** Reads the configuration and connects, or disconnects, as it says. Throws a RelayError that names a broken file. */
  load(): Promise<void>
  outward(effect: Effect): void
  /** Says again what the core lost with a turn that failed. */
  restore(): void
  /** Lets go of all names, for what ran under them has ended; takes no new ones from here on. */
  leave(): Promise<void>
  /** Throws NOT_LINKED, or NOT_CONNECTED while there is a link and no connection. */
  channels(): Pick<ControlLink, 'joinChannel' | 'leaveChannel' | 'channelHistory'>
  link(): Link | null
  view(): {
    state: 'unlinked' | 'connecting' | 'connected' | 'waiting' | 'refused'
    latencyMs: number | null
    reason: string | null
  }
  stop(): void
}

/** A stop waits no longer than this for the control plane to hear that the names are free. */
const LEAVE_MS = 2_000

type Options = { paths: HomePaths; store: Store; log: Log; version: string; engine: () => Engine }

export function createControl({ paths, store, log, version, engine }: Options): Control {
  const bootId = randomUUID()
  let link: Link | null = null
  let control: ControlLink | undefined
  let isLeaving = false
  /** Why there is a link and yet nothing that could connect. */
  let trouble: string | null = null
  const uplink = createUplink({ engine, store, log })
  let traces: ReturnType<typeof createTraces> | undefined

  /** Loaded when there is a link: the socket library costs a start more than everything else. */
  async function connect(to: Link): Promise<ControlLink> {
    const identity = readIdentity(paths)
    if (identity === undefined)
      throw new RelayError('NOT_LINKED', `${paths.identity} is missing: run agent-relay unlink, then agent-relay link`)
    const { createControlLink } = await import('../cloud/control-link.ts')
    const opened = createControlLink({
      url: to.url,
      key: to.key,
      identity,
      version,
      bootId,
      isInsecureAllowed: to.isInsecure,
      agents: () => new Promise((resolve) => uplink.names(resolve)),
      on: {
        ...uplink,
        up(welcome) {
          log.info(`connected to ${to.url}`, { machine: welcome.machine.name, org: welcome.roster.org.slug })
          uplink.up(welcome)
        },
        down(reason) {
          log.warn(`not connected to ${to.url}`, { reason: reason.message })
          uplink.lost()
        },
        unknown: (event) => log.info(`the control plane sent ${event}, which this version passes over`),
        refused(error) {
          log.error(`the control plane refuses this machine: ${error.message}`)
          uplink.lost()
        },
      },
    })
    return opened
  }

  return {
    async load() {
      const { link: wanted } = readConfig(paths)
      const isSame = JSON.stringify(wanted) === JSON.stringify(link)
      if (isSame && control !== undefined) return
      control?.stop()
      control = undefined
      traces?.stop()
      uplink.lost()
      link = wanted
      trouble = null
      uplink.linked(wanted === null ? null : { machine: wanted.machine, org: wanted.org, person: wanted.person })
      if (wanted === null) return
      const opened = await connect(wanted).catch((error: unknown) => {
        trouble = toWire(error).message
        throw error
      })
      // Another load may have come while this one waited.
      if (link !== wanted) return
      control = opened
      traces = createTraces(engine(), store, log, (reports) => {
        opened
          .traces(reports)
          .catch((error: unknown) =>
            log.warn(`${reports.length} reports did not get to the dashboard`, { reason: String(error) }),
          )
      })
      opened.start()
    },
    outward(effect) {
      if (control === undefined) return
      if (effect.type === 'progress') {
        if (uplink.isUp()) traces?.note(effect.id)
      } else if (effect.type !== 'claim' || !isLeaving) uplink.outward(control, effect)
    },
    restore: () => uplink.restore(control),
    async leave() {
      isLeaving = true
      if (control === undefined || !uplink.isUp()) return
      const late = new AbortController()
      await Promise.race([
        control
          .leave()
          .catch((error: unknown) =>
            log.warn('the names of this machine free only when its lease runs out', { reason: String(error) }),
          ),
        pause(LEAVE_MS, undefined, { signal: late.signal }).catch(() => undefined),
      ])
      late.abort()
    },
    channels() {
      if (control !== undefined) return control
      if (link === null)
        throw new RelayError(
          'NOT_LINKED',
          'Channels are of an organization, and this machine is linked to none: agent-relay link',
        )
      throw new RelayError(
        'NOT_CONNECTED',
        `${trouble ?? 'This machine is not connected to the control plane.'} Next: agent-relay status`,
      )
    },
    link: () => link,
    view() {
      if (control === undefined)
        return {
          state: link === null ? 'unlinked' : trouble === null ? 'connecting' : 'refused',
          latencyMs: null,
          reason: trouble,
        }
      const { state, reason } = control.state()
      return { state: state === 'stopped' ? 'waiting' : state, latencyMs: control.latencyMs(), reason }
    },
    stop() {
      traces?.stop()
      control?.stop()
    },
  }
}
