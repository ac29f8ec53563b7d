/** Between the core and a link to the control plane: what comes in becomes events, effects go out, and their answers come back. */
import type { AgentClaim, ClaimResult, Envelope, Returned, Roster, RosterDelta, Welcome } from '@agent-relay/protocol'
import type { ControlLink } from '../cloud/control-link.ts'
import { SIGNED_SINCE } from '../cloud/roster-trust.ts'
import { claimsOf } from '../core/agents.ts'
import { applyDelta, indexRoster, type RosterIndex, rosterOf } from '../core/roster.ts'
import type { CoreEvent, Effect, LinkIdentity, Outgoing } from '../core/turn.ts'
import type { Log } from '../log.ts'
import { point } from '../points.ts'
import type { Store } from '../store/store.ts'
import type { Engine } from './engine.ts'
import type { Mail } from './mail.ts'

/** What the core asks of a link. */
export type Carrier = Pick<ControlLink, 'relay' | 'giveBack' | 'claim' | 'setStatus' | 'release'>

export type Uplink = {
  isUp(): boolean
  /** What the link knows of the organization; undefined before the first connection of this run. */
  known(): RosterIndex | undefined
  /** To what this machine is linked, as its configuration has it. */
  linked(identity: LinkIdentity | null): void
  /** What the link hears, as ControlLinkOptions.on has it. */
  up(welcome: Welcome): void
  lost(): void
  delta(delta: RosterDelta): void
  roster(roster: Roster): void
  deliver(envelopes: Envelope[]): void
  returned(returned: Returned): void
  claims(results: ClaimResult[]): void
  /** Gives every name for the control plane after the turn that knows of the connection: later ones ask for themselves. */
  names(then: (agents: AgentClaim[]) => void): void
  outward(to: Carrier, effect: Effect): void
  /** Says again what the core lost with a turn that failed. */
  restore(to: Carrier | undefined): void
}

type Options = { engine: () => Engine; store: Store; log: Log; mail: Mail }

export function createUplink({ engine, store, log, mail }: Options): Uplink {
  let isUp = false
  /** What the link knows, also while the disk takes nothing of it. */
  let identity: LinkIdentity | null | undefined
  let known: RosterIndex | undefined
  /** `known` came by a version that signs no rosters. */
  let isUnsigned = false
  const submit = (event: CoreEvent): void => engine().submit(event)

  function relay(to: Carrier, messages: Outgoing[]): void {
    const envelopes = mail.out(messages)
    if (envelopes.length === 0) return
    const ids = envelopes.map((envelope) => envelope.id)
    to.relay(envelopes).then(
      (results) => submit({ type: 'relayed', ids, results }),
      // Unknown what became of them: the core's clock sends them again.
      (error) => log.debug('a batch was not taken by the relay', { reason: String(error) }),
    )
  }

  function claim(to: Carrier, agent: AgentClaim): void {
    to.claim(agent).then(
      (result) => submit({ type: 'claims', results: [result] }),
      (error) => log.warn(`the name ${agent.name} could not be claimed`, { reason: String(error) }),
    )
  }

  function linked(to: LinkIdentity | null): void {
    if (to?.machine.id !== identity?.machine.id || to?.org.id !== identity?.org.id) known = undefined
    identity = to
    submit({ type: 'linked', identity: to })
  }

  return {
    isUp: () => isUp,
    known: () => known,
    linked,
    up(welcome) {
      isUp = true
      isUnsigned = welcome.v < SIGNED_SINCE
      linked({ machine: welcome.machine, org: welcome.roster.org, person: welcome.person })
      known = indexRoster(welcome.roster)
      submit({ type: 'up', roster: welcome.roster, now: welcome.now, ...(isUnsigned && { isUnsigned }) })
    },
    lost() {
      if (isUp) submit({ type: 'down' })
      isUp = false
    },
    delta(delta) {
      if (known !== undefined) applyDelta(known, delta)
      submit({ type: 'delta', delta })
    },
    roster(roster) {
      known = indexRoster(roster)
      submit({ type: 'roster', roster })
    },
    deliver(envelopes) {
      point('deliver.received')
      mail.take(envelopes)
    },
    returned(returned) {
      point('return.received')
      const failed = returned.batch.receipts.filter((receipt) => receipt.state === 'failed')
      const known = failed.flatMap((receipt) => store.read.outHeader(receipt.id) ?? [])
      submit({ type: 'returned', returned, known })
    },
    claims: (results) => submit({ type: 'claims', results }),
    names: (then) => engine().afterCommit(() => then(claimsOf(engine().state()))),
    outward(to, effect) {
      switch (effect.type) {
        case 'relay':
          relay(to, effect.messages)
          break
        case 'return':
          // What does not get through is said again when the sender asks again.
          to.giveBack(effect.batch).catch(() => undefined)
          break
        case 'claim':
          claim(to, effect.agent)
          break
        case 'status':
          to.setStatus([{ name: effect.name, epoch: effect.epoch, status: effect.status }]).catch(() => undefined)
          break
        case 'release':
          // Without an answer the name frees with the lease, or at the next connection, which does not ask for it.
          to.release(effect.name).catch(() => undefined)
          break
      }
    },
    restore(to) {
      if (identity !== undefined) submit({ type: 'linked', identity })
      if (to === undefined || !isUp || known === undefined) return
      submit({ type: 'up', roster: rosterOf(known), ...(isUnsigned && { isUnsigned }) })
      for (const agent of claimsOf(engine().state())) claim(to, agent)
    },
  }
}
