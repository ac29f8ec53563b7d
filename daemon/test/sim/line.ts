/** A machine's line to the control plane: dials, comes back by itself, and carries what the uplink asks of it. */
import type {
  AgentClaim,
  ClaimResult,
  Envelope,
  RelayResult,
  ReturnBatch,
  SignalIn,
  SignalOut,
} from '@agent-relay/protocol'
import type { Clock } from '../../src/service/clock.ts'
import type { Carrier, Uplink } from '../../src/service/uplink.ts'
import { answeredNow } from './answer.ts'
import type { Network } from './network.ts'
import type { Plane } from './plane.ts'
import type { Random } from './random.ts'
import { newSession, type Session } from './session.ts'

/** No greeting within this: it is tried again. */
const OPEN_MS = 5_000

export type Line = {
  carrier: Carrier
  dial(): void
  /** `failed`: nobody was there. What is lost on the way is not told. */
  signal(out: SignalOut, failed: (why: string) => void): void
  /** A newer roster is out there: it is asked for, though not often. */
  behind(version: number): void
  /** The session that is open at this end. */
  session(): Session | undefined
}

type Options = {
  machine: string
  clock: Clock
  random: Random
  network: Network
  plane: Plane
  uplink: () => Uplink
  isAlive: () => boolean
  isAwake: () => boolean
  heard: {
    fresh(at: number): void
    signal(signal: SignalIn): void
    /** The organization wants nothing of this machine any more; it is not dialed again. */
    refused(): void
  }
}

/** As the shipped link asks for a roster that others have. */
const BEHIND_MS = 5_000

export function createLine(options: Options): Line {
  const { machine, clock, random, network, plane, uplink, isAlive, isAwake, heard } = options
  let session: Session | undefined
  let attempt = 0
  let isRefused = false
  let isAsking = false

  function dial(): void {
    const made = newSession(machine, {
      isAwake,
      welcome(welcome) {
        attempt = 0
        isGreeted = true
        uplink().up(welcome)
        uplink().names((agents) => up(false, (to) => plane.sync(to, agents, (results) => uplink().claims(results))))
      },
      delta: (delta) => uplink().delta(delta),
      roster: (roster) => uplink().roster(roster),
      fresh: heard.fresh,
      signal: heard.signal,
      refused() {
        isRefused = true
        heard.refused()
      },
      deliver: (envelopes) => uplink().deliver(envelopes),
      returned: (returned) => uplink().returned(returned),
      lost: ended,
    })
    let isGreeted = false
    session = made
    // A refused connection is known at once, a lost one only by its silence.
    clock.after(random.between(1, 20), () => {
      if (network.isCut(machine)) return
      if (plane.isRunning()) plane.open(made)
      else network.sever(made, 1, 0)
    })
    clock.after(OPEN_MS, () => {
      if (!isGreeted && made.isOpenHere) network.sever(made, 0, random.between(0, 40_000))
    })
  }

  function ended(): void {
    session = undefined
    if (!isAlive()) return
    uplink().lost()
    if (isRefused) return
    // Full jitter.
    clock.after(random.unit() * Math.min(30_000, 1_000 * 2 ** attempt++), dial)
  }

  /** Sends on the session of this moment, if there is one. */
  function up(isData: boolean, arrive: (to: Session) => void): void {
    const on = session
    if (on?.isOpenHere) network.carry({ session: on, way: 'up', isData, arrive: () => arrive(on) })
  }

  return {
    carrier: {
      relay(envelopes: Envelope[]) {
        const batch = network.torn(machine, envelopes)
        return answeredNow<RelayResult[]>((answer) =>
          // With a torn batch it is unknown what became of it, as when there is no answer.
          up(true, (to) => plane.relay(to, batch, batch.length === envelopes.length ? answer : () => undefined)),
        )
      },
      giveBack: (batch: ReturnBatch) => answeredNow<void>(() => up(true, (to) => plane.giveBack(to, batch))),
      claim: (agent: AgentClaim) =>
        answeredNow<ClaimResult>((answer) => up(false, (to) => plane.claim(to, agent, answer))),
      setStatus: (changes) =>
        answeredNow<void>(() =>
          up(false, (to) => {
            for (const { name, status } of changes) plane.setStatus(to, name, status)
          }),
        ),
      release: (name) => answeredNow<void>(() => up(false, (to) => plane.release(to, name))),
    },
    dial,
    signal(out, failed) {
      if (session?.isOpenHere !== true) {
        clock.after(0, () => failed('this machine is not connected'))
        return
      }
      up(true, (from) =>
        plane.signal(from, out, (isThere) => {
          if (!isThere) failed('it is not connected')
        }),
      )
    },
    behind(version) {
      if (isAsking || version <= (uplink().known()?.version ?? 0)) return
      isAsking = true
      clock.after(BEHIND_MS, () => {
        isAsking = false
      })
      up(false, (from) => plane.giveRoster(from))
    },
    session: () => session,
  }
}
