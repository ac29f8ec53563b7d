/** A machine's line to the control plane: dials, comes back by itself, and carries what the uplink asks of it. */
import type { AgentClaim, ClaimResult, Envelope, RelayResult, ReturnBatch } from '@agent-relay/protocol'
import type { Clock } from '../../src/service/clock.ts'
import type { Carrier, Uplink } from '../../src/service/uplink.ts'
import type { Network } from './network.ts'
import type { Plane } from './plane.ts'
import type { Random } from './random.ts'
import { newSession, type Session } from './session.ts'

/** No greeting within this: it is tried again. */
const OPEN_MS = 5_000

export type Line = {
  carrier: Carrier
  dial(): void
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
}

export function createLine({ machine, clock, random, network, plane, uplink, isAlive, isAwake }: Options): Line {
  let session: Session | undefined
  let attempt = 0

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
        return asked<RelayResult[]>((answer) =>
          // With a torn batch it is unknown what became of it, as when there is no answer.
          up(true, (to) => plane.relay(to, batch, batch.length === envelopes.length ? answer : () => undefined)),
        )
      },
      giveBack: (batch: ReturnBatch) => asked<void>(() => up(true, (to) => plane.giveBack(to, batch))),
      claim: (agent: AgentClaim) => asked<ClaimResult>((answer) => up(false, (to) => plane.claim(to, agent, answer))),
      setStatus: (changes) =>
        asked<void>(() =>
          up(false, (to) => {
            for (const { name, status } of changes) plane.setStatus(to, name, status)
          }),
        ),
      release: (name) => asked<void>(() => up(false, (to) => plane.release(to, name))),
    },
    dial,
    session: () => session,
  }
}

/**
 * An answer as the uplink takes it, given in the very moment that it comes: promises would put it off to a time that no seed
 * decides. What never comes is as good as a failure, which the uplink only logs.
 */
function asked<T>(ask: (answer: (value: T) => void) => void): Promise<T> {
  let take = (_: T): void => undefined
  ask((value) => take(value))
  const answer = {
    // biome-ignore lint/suspicious/noThenProperty: it stands in for a promise.
    then(onAnswer: (value: T) => void) {
      take = onAnswer
      return answer
    },
    catch: () => answer,
  }
  return answer as unknown as Promise<T>
}
