/** Between the core and the ways out of this machine: what the core sends leaves sealed, what comes in is opened before the core sees it. */
import type { Envelope } from '@agent-relay/protocol'
import { type State, selfId } from '../core/state.ts'
import type { Outgoing } from '../core/turn.ts'
import type { Log } from '../log.ts'
import type { Engine } from './engine.ts'
import { envelopeOf } from './envelope.ts'
import type { Sealer } from './seals.ts'

export type Mail = {
  /**
   * The envelopes of what the core wants sent, by the relay or by a direct link. What has no row any more, or cannot be sealed
   * now, is left out: the core sends it again by its own clock.
   */
  out(messages: readonly Outgoing[]): Envelope[]
  /** What came by the relay, or by the proved link of the machine `peer`. */
  take(envelopes: readonly Envelope[], peer?: string): void
}

type Options = { engine: () => Engine; sealer: Pick<Sealer, 'seal' | 'open'>; log: Log }

export function createMail({ engine, sealer, log }: Options): Mail {
  return {
    out(messages) {
      const { take, now, state } = engine()
      const facts = { state: state(), now: now() }
      return messages.flatMap((message) => {
        const row = message.n > 0 ? take(message.n) : undefined
        const envelope = envelopeOf(message, { ...facts, row })
        return (envelope && sealer.seal(envelope)) ?? []
      })
    },
    take(envelopes, peer) {
      const { submit, state } = engine()
      const isMeant = meantHere(state(), peer)
      const by = peer === undefined ? {} : { peer }
      const opened: Envelope[] = []
      const unread: Envelope[] = []
      for (const envelope of envelopes) {
        // In the clear it is the core's to drop.
        const one = envelope.sealed === undefined || isMeant(envelope) ? sealer.open(envelope) : undefined
        if (one !== undefined) opened.push(one)
        else if (isMeant(envelope)) unread.push(envelope)
        else log.warn('dropped a message that is not from its machine to this one', { id: envelope.id })
      }
      if (opened.length > 0) submit({ type: 'deliver', envelopes: opened, ...by })
      for (const { from, outboxEpoch, stream, seq } of unread)
        submit({ type: 'unreadable', machine: from.machine, outboxEpoch, stream, seq, ...by })
    },
  }
}

/** Whether an envelope says that it is from another machine, by the link of which it came, to this one. */
function meantHere(state: State, peer: string | undefined): (envelope: Envelope) => boolean {
  const me = selfId(state)
  return ({ from, to, org }) =>
    to.machine === me &&
    from.machine !== me &&
    org === state.identity?.org.id &&
    (peer === undefined || from.machine === peer)
}
