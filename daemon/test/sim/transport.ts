/** The transport of one run: connections of the made-up network, and on them the shipped handshake and the shipped reading of frames. */
import { PEER_HANDSHAKE_MS } from '@agent-relay/protocol'
import { createHandshakes, type Proved } from '../../src/peers/handshake.ts'
import { readPeerFrame } from '../../src/peers/peer-frame.ts'
import type { Dial, PeerLink, PeerSide } from '../../src/peers/transport.ts'
import { answerOver, dialOver, type Speech } from '../../src/peers/wire-handshake.ts'
import type { Diary } from './diary.ts'
import type { Ground, Station, Tls } from './ground.ts'
import type { Identity } from './identities.ts'
import type { LinkOracle } from './link-oracle.ts'
import type { End } from './pipes.ts'
import type { Random } from './random.ts'

export type SimTransport = {
  /** One of the two is called later; neither when it is given up before. */
  dial(dial: Dial, then: { linked(link: PeerLink): void; failed(why: string): void }): void
  /** The program ended, or the power with it. */
  died(isSilent: boolean): void
  /** Says goodbye on every link. */
  close(): void
}

/** A key that is not here yet is a reason to ask for a newer roster: this often and not more, as the shipped transport does. */
const STRANGER_MS = 15_000

type Options = {
  side: PeerSide
  identity: Identity
  ground: Ground
  random: Random
  oracle: LinkOracle
  diary: Diary
  isAlive: () => boolean
  isAwake: () => boolean
  after: (ms: number, act: () => void) => () => void
  /** Everything that comes from outside; a crash within it ends there. */
  run: (act: () => void) => void
  /** How much later a frame for this machine comes in bad weather. */
  slowMs: (machine: string) => number
}

export function createSimTransport(options: Options): SimTransport {
  const { side, identity, ground, random, oracle, diary, isAlive, after, run, slowMs } = options
  const handshakes = createHandshakes({
    ...side,
    publicKey: identity.publicKey,
    sign: identity.sign,
    publicKeyOf: side.publicKeyOf,
  })
  const links = new Set<PeerLink>()
  let isStrangerKnown = false

  const station: Station = {
    machine: side.machine,
    publicKey: identity.publicKey,
    isAlive,
    isAwake: options.isAwake,
    accept: (end, tls) => run(() => answer(end, tls, undefined, { linked: side.opened, failed: () => undefined })),
  }
  ground.opened(station)

  function nonce(): string {
    const bytes = Buffer.alloc(32)
    for (let i = 0; i < 32; i += 4) bytes.writeUInt32LE(Math.floor(random.unit() * 2 ** 32), i)
    return bytes.toString('base64url')
  }

  type Then = { linked(link: PeerLink): void; failed(why: string): void }

  /** A wire of the shipped handshake over this end; `failed` once, unless it becomes a link before. */
  function wireOf(end: End, then: Then): { wire: Speech; done: () => void } {
    let listener: Parameters<Speech['listen']>[0] | undefined
    let told = (_why: string): void => undefined
    let isOver = false
    function fail(why: string): void {
      if (isOver) return
      isOver = true
      cancel()
      then.failed(why)
    }
    const cancel = after(PEER_HANDSHAKE_MS, () => {
      end.close()
      fail('it did not prove itself in time')
    })
    end.listen({
      frame: (event, frame) => run(() => listener?.(event, frame)),
      ended: (why) =>
        run(() => {
          told(why)
          fail(why)
        }),
    })
    const wire: Speech = {
      emit: (event, frame) => end.send(event, frame),
      listen(next) {
        listener = next
      },
      whenEnded(next) {
        told = next
      },
      end() {
        end.close()
        fail('the handshake was refused')
      },
    }
    return {
      wire,
      done() {
        isOver = true
        cancel()
      },
    }
  }

  function ask(end: End, tls: Tls, { machine, candidate }: Dial, then: Then): void {
    if (tls.peerKey !== side.publicKeyOf(machine)) {
      end.close()
      then.failed('another machine answered')
      return
    }
    const { wire, done } = wireOf(end, then)
    const dialing = handshakes.dial({ machine, path: candidate.kind }, { nonce: nonce(), ...tls })
    dialOver(wire, dialing, (proved) => {
      done()
      then.linked(linkOf(end, proved, { role: 'dialer', remote: tls.remote }))
    }).catch(() => undefined)
  }

  function answer(end: End, tls: Tls, expects: string | undefined, then: Then): void {
    const machine = side.machineOf(tls.peerKey)
    if (machine === undefined) meetStranger()
    if (machine === undefined || (expects !== undefined && machine !== expects)) {
      end.close()
      then.failed('its key is not in the roster, or another machine’s')
      return
    }
    const { wire, done } = wireOf(end, then)
    const listening = handshakes.listen({ nonce: nonce(), ...tls }, expects)
    answerOver(wire, listening, (proved) => {
      done()
      then.linked(linkOf(end, proved, { role: 'listener', remote: tls.remote }))
    }).catch(() => undefined)
  }

  function meetStranger(): void {
    if (isStrangerKnown) return
    isStrangerKnown = true
    after(STRANGER_MS, () => {
      isStrangerKnown = false
    })
    side.behind(side.rosterVersion() + 1)
  }

  function linkOf(end: End, proved: Proved, { role, remote }: Pick<PeerLink, 'role' | 'remote'>): PeerLink {
    let isClosed = false
    function over(why: string): void {
      if (isClosed) return
      isClosed = true
      links.delete(link)
      oracle.closed(end)
      diary.note(side.machine, () => `link ${link.id} to ${link.machine} is closed: ${why}`)
      after(0, () => side.closed(link, why))
    }
    const link: PeerLink = {
      id: proved.linkId,
      machine: proved.machine,
      bootId: proved.bootId,
      role,
      kind: proved.kind,
      remote,
      send(event, frame) {
        if (!isClosed) end.send(event, frame, isMail(event) ? slowMs(proved.machine) : 0)
      },
      bufferedBytes: () => 0,
      close(why) {
        if (isClosed) return
        end.send('PEER_GOODBYE', { why: why.slice(0, 200) })
        end.close()
        over(why)
      },
    }
    links.add(link)
    oracle.opened(end, link)
    diary.note(side.machine, () => `has link ${link.id} to ${link.machine}, ${link.kind}, as ${role}`)
    end.listen({
      frame(event, frame) {
        if (isClosed) return
        run(() => {
          const read = readPeerFrame(event, frame)
          if (read.what === 'malformed') throw new Error(`a link carried ${read.why}`)
          if (read.what !== 'frame') return
          if (read.event === 'PEER_GOODBYE') {
            end.close()
            over(`the other end closed it: ${read.frame.why}`)
            return
          }
          oracle.carried(end, event)
          side.frame(link, read.event, read.frame)
        })
      },
      ended: (why) => run(() => over(why)),
    })
    return link
  }

  return {
    dial(dial, then) {
      const { candidate, role = 'dialer', timeoutMs, machine, signal } = dial
      if (side.publicKeyOf(machine) === undefined) {
        after(0, () => then.failed(`machine ${machine} is not in the roster that is believed now`))
        return
      }
      let isOver = false
      let ring: (() => void) | undefined
      const end: Then = {
        linked(link) {
          if (isOver) link.close('it is not needed any more')
          else then.linked(link)
          isOver = true
        },
        failed(why) {
          if (!isOver) then.failed(why)
          isOver = true
        },
      }
      let connected: End | undefined
      const cancelTimer = after(timeoutMs, () => {
        ring?.()
        end.failed('nobody took the connection')
      })
      ring = ground.call(station, {
        candidate,
        role,
        connected(at, tls) {
          cancelTimer()
          connected = at
          run(() => (role === 'dialer' ? ask(at, tls, dial, end) : answer(at, tls, machine, end)))
        },
        refused() {
          cancelTimer()
          run(() => end.failed('nobody listens there'))
        },
      })
      const giveUp = (): void => {
        if (isOver) return
        isOver = true
        ring?.()
        cancelTimer()
        connected?.close()
      }
      signal.addEventListener('abort', giveUp, { once: true })
    },
    died: (isSilent) => ground.died(station, isSilent),
    close() {
      for (const link of [...links]) link.close('the daemon is stopping')
    },
  }
}

const isMail = (event: string): boolean => event === 'PEER_ROUTE' || event === 'PEER_ACK'
