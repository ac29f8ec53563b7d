/** The handshake carried over a wire: three events, and any other ends it. What is refused is told with one constant message. */
import { PEER_REFUSED } from '@agent-relay/protocol'
import { RelayError } from '../errors.ts'
import type { Dialing, Listening, Proved, Refused } from './handshake.ts'
import type { Wire } from './wire.ts'

/** What the handshake needs of a wire. */
export type Speech = Pick<Wire, 'emit' | 'listen' | 'whenEnded' | 'end'>

/** `open` is called within the turn in which the other end is proved, so that no frame comes before it. Rejects with FORBIDDEN. */
type Open<T> = (proved: Proved) => T

export function dialOver<T>(wire: Speech, dialing: Dialing, open: Open<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    wire.whenEnded((why) => reject(refusal(`before both had proved, ${why}`)))
    wire.listen((event, frame) => {
      if (event === 'PEER_REFUSED') {
        wire.end()
        return reject(refusal('the other end refused the handshake: its roster may not have this machine, or not yet'))
      }
      const outcome = event === 'PEER_WELCOME' ? dialing.welcome(frame) : outOfTurn
      if (outcome.isRefused) return reject(refuse(wire, outcome))
      wire.emit('PEER_FINISH', outcome.finish)
      resolve(open(outcome.proved))
    })
    wire.emit('PEER_HELLO', dialing.hello)
  })
}

export function answerOver<T>(wire: Speech, listening: Listening, open: Open<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    wire.whenEnded((why) => reject(refusal(`before both had proved, ${why}`)))
    wire.listen((event, frame) => {
      if (event === 'PEER_REFUSED') {
        wire.end()
        return reject(refusal('the other end refused the handshake: its roster may not have this machine, or not yet'))
      }
      if (event === 'PEER_HELLO') {
        const outcome = listening.hello(frame)
        if (outcome.isRefused) return reject(refuse(wire, outcome))
        return wire.emit('PEER_WELCOME', outcome.welcome)
      }
      const outcome = event === 'PEER_FINISH' ? listening.finish(frame) : outOfTurn
      if (outcome.isRefused) return reject(refuse(wire, outcome))
      resolve(open(outcome.proved))
    })
  })
}

const outOfTurn: Refused = { isRefused: true, why: 'a frame before both had proved' }

function refuse(wire: Speech, { why }: Refused): RelayError {
  wire.emit('PEER_REFUSED', { message: PEER_REFUSED })
  wire.end()
  return refusal(`it was refused here: ${why}`)
}

const refusal = (why: string): RelayError => new RelayError('FORBIDDEN', why)
