/** The daemon's side of the link to the control plane: reads to what the home is linked, carries effects out and events in. */
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { LinkReport, ReachAnswer, SealKey, SignalIn, SignalOut } from '@agent-relay/protocol'
import type { ControlLink } from '../cloud/control-link.ts'
import { type RosterTrust, SIGNED_SINCE } from '../cloud/roster-trust.ts'
import { isRosterHard } from '../core/freshness.ts'
import type { RosterIndex } from '../core/roster.ts'
import type { Effect } from '../core/turn.ts'
import { RelayError, toWire } from '../errors.ts'
import { type Link, pinControlKey, readConfig } from '../home/config.ts'
import { type Identity, type OwnIdentity, readIdentity } from '../home/identity.ts'
import type { HomePaths } from '../home/paths.ts'
import type { Log } from '../log.ts'
import type { Store } from '../store/store.ts'
import { type Archiver, createArchiver } from './archive.ts'
import type { Engine } from './engine.ts'
import type { Mail } from './mail.ts'
import type { Sealer } from './seals.ts'
import { createTraces } from './traces.ts'
import { createListeners, createTrust, type Trust } from './trust.ts'
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
  /** Whom this machine believes in now. */
  trust(): Trust
  /** Called at once whenever trust() may have changed, and now and then when it has not. The answer ends it. */
  onTrust(listener: () => void): () => void
  /** A signal for this machine, checked against its schema and still sealed. The answer ends it. */
  onSignal(listener: (signal: SignalIn) => void): () => void
  /**
   * Each of these rejects with NOT_LINKED, NOT_CONNECTED, VERSION_UNSUPPORTED when the control plane is older, or its own error.
   * A signal is NOT_CONNECTED, too, when the other machine is not there.
   */
  signal(out: SignalOut): Promise<void>
  /** Newest first; only for a change while connected, every connection says them by itself. */
  putSeals(seals: SealKey[]): Promise<void>
  /** What changed; with `isWhole` all there is, which is due after every connect. */
  reportLinks(links: LinkReport[], isWhole: boolean): Promise<void>
  checkReach(port: number): Promise<ReachAnswer>
  /** A machine that has proved who it is holds a newer roster: it is asked for, though not often. Never throws. */
  behind(version: number): void
  /** The network changed, or this machine slept. */
  nudge(): void
  view(): {
    state: 'unlinked' | 'connecting' | 'connected' | 'waiting' | 'refused'
    latencyMs: number | null
    reason: string | null
  }
  stop(): void
}

/** A stop waits no longer than this for the control plane to hear that the names are free. */
const LEAVE_MS = 2_000

type Options = {
  paths: HomePaths
  store: Store
  log: Log
  version: string
  engine: () => Engine
  mail: Mail
  sealer: Pick<Sealer, 'keys' | 'archiveKey' | 'sealArchive' | 'trusted'>
}

export function createControl({ paths, store, log, version, engine, mail, sealer }: Options): Control {
  const bootId = randomUUID()
  let link: Link | null = null
  let control: ControlLink | undefined
  let isLeaving = false
  /** Why there is a link and yet nothing that could connect. */
  let trouble: string | null = null
  const uplink = createUplink({ engine, store, log, mail })
  let traces: ReturnType<typeof createTraces> | undefined
  let archiver: Archiver | undefined
  const failed = (error: unknown): void => log.error('a listener of the control link failed', { error })
  const signals = createListeners<SignalIn>(failed)
  const trust = createTrust({ engine, roster: rosterHere, isSigned: () => link?.controlKey !== undefined, failed })

  trust.onChange(() => {
    sealer.trusted()
    archiver?.changed()
  })

  /** Of the organization to which this home is linked; what the disk has may be of one before. */
  function rosterHere(): RosterIndex | null {
    const roster = uplink.known() ?? engine().state().roster
    return roster !== null && roster.org.id === link?.org.id ? roster : null
  }

  function rosterTrustOf(to: Link): RosterTrust {
    return {
      org: to.org.id,
      machine: to.machine.id,
      controlKey: () => link?.controlKey,
      pin(key) {
        link = pinControlKey(paths, to, key)
        log.info(`rosters of ${to.org.name} are believed only with the signature of this key from now on`, { key })
      },
      known: () => rosterHere() ?? undefined,
    }
  }

  function identityHere(): OwnIdentity {
    const identity = readIdentity(paths)
    if (identity !== undefined) return identity
    throw new RelayError('NOT_LINKED', `${paths.identity} is missing: run agent-relay unlink, then agent-relay link`)
  }

  /** Loaded when there is a link: the socket library costs a start more than everything else. */
  async function connect(to: Link, identity: Identity): Promise<ControlLink> {
    const { createControlLink } = await import('../cloud/control-link.ts')
    const opened = createControlLink({
      url: to.url,
      key: to.key,
      identity,
      version,
      bootId,
      isInsecureAllowed: to.isInsecure,
      trust: rosterTrustOf(to),
      seals: sealer.keys,
      agents: () => new Promise((resolve) => uplink.names(resolve)),
      on: {
        ...uplink,
        up(welcome) {
          log.info(`connected to ${to.url}`, { machine: welcome.machine.name, org: welcome.roster.org.slug })
          uplink.up(welcome)
          trust.connected({ isSigned: welcome.v >= SIGNED_SINCE })
        },
        delta(delta) {
          uplink.delta(delta)
          trust.changed()
        },
        roster(roster) {
          uplink.roster(roster)
          trust.changed()
        },
        fresh(at) {
          const { state, now, submit, afterCommit } = engine()
          const wasHard = isRosterHard(state(), now())
          submit({ type: 'fresh', at })
          if (wasHard) afterCommit(trust.changed)
        },
        signal: signals.tell,
        down(reason) {
          log.warn(`not connected to ${to.url}`, { reason: reason.message })
          uplink.lost()
          trust.lost()
        },
        unknown: (event) => log.info(`the control plane sent ${event}, which this version passes over`),
        refused(error) {
          log.error(`the control plane refuses this machine: ${error.message}`)
          uplink.lost()
          trust.refused(error)
        },
      },
    })
    return opened
  }

  /** The identity counts before there is a connection: links to other machines need only what is on the disk. */
  async function open(to: Link): Promise<ControlLink> {
    const { pem, ...identity } = identityHere()
    trust.linked({ org: to.org.id, machine: to.machine.id, bootId, identity, identityKey: pem })
    return connect(to, identity)
  }

  function connected(what: string): ControlLink {
    if (control !== undefined) return control
    if (link === null)
      throw new RelayError(
        'NOT_LINKED',
        `${what} are of an organization, and this machine is linked to none: agent-relay link`,
      )
    throw new RelayError(
      'NOT_CONNECTED',
      `${trouble ?? 'This machine is not connected to the control plane.'} Next: agent-relay status`,
    )
  }

  return {
    async load() {
      const { link: wanted } = readConfig(paths)
      const isSame = JSON.stringify(wanted) === JSON.stringify(link)
      if (isSame && control !== undefined) return
      control?.stop()
      control = undefined
      traces?.stop()
      archiver?.stop()
      archiver = undefined
      uplink.lost()
      link = wanted
      trouble = null
      uplink.linked(wanted === null ? null : { machine: wanted.machine, org: wanted.org, person: wanted.person })
      trust.linked(null)
      if (wanted === null) return
      const opened = await open(wanted).catch((error: unknown) => {
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
      archiver = createArchiver({
        ...{ engine: engine(), store, log, sealer, isUp: uplink.isUp },
        reportOf: traces.reportOf,
        send: (reports) => opened.traces(reports),
      })
      opened.start()
    },
    outward(effect) {
      if (control === undefined) return
      if (effect.type === 'progress') {
        if (uplink.isUp()) traces?.note(effect.id)
        archiver?.changed()
      } else if (effect.type !== 'claim' || !isLeaving) uplink.outward(control, effect)
    },
    restore() {
      uplink.restore(control)
      trust.changed()
    },
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
    channels: () => connected('Channels'),
    link: () => link,
    trust: trust.view,
    onTrust: trust.onChange,
    onSignal: signals.add,
    signal: async (out) => connected(PEERS).signal(out),
    putSeals: async (keys) => connected(PEERS).putSeals(keys),
    reportLinks: async (links, isWhole) => connected(PEERS).reportLinks(links, isWhole),
    checkReach: async (port) => connected(PEERS).checkReach(port),
    behind: (newest) => control?.behind(newest),
    nudge: () => control?.nudge(),
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
      archiver?.stop()
      control?.stop()
      trust.stop()
    },
  }
}

/** What cannot be done without a link, as a sentence begins. */
const PEERS = 'Other machines'
