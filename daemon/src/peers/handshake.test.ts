import { createPrivateKey, randomBytes, randomUUID, sign } from 'node:crypto'
import type { PeerFinish, PeerHello, PeerWelcome } from '@agent-relay/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { mutated, oddValue } from '../../../protocol/fixtures/mutate.ts'
import { createHandshakes, type Dialing, type Listening, type Proved } from './handshake.ts'
import { type Identity, newIdentity, ORG } from './testing.ts'

const nonce = (): string => randomBytes(32).toString('base64url')

/** A machine's handshakes and its roster, without any connection. */
function machine({ org = ORG, identity = newIdentity() }: { org?: string; identity?: Identity } = {}) {
  const roster = new Map([[identity.machine, identity.publicKey]])
  const key = createPrivateKey(identity.pem)
  const behind: number[] = []
  const self = {
    ...identity,
    org,
    bootId: randomUUID() as string,
    roster,
    version: 5,
    behind,
    sign: (text: string) => sign(null, Buffer.from(text), key).toString('base64url'),
  }
  const handshakes = createHandshakes({
    org,
    machine: identity.machine,
    bootId: self.bootId,
    publicKey: identity.publicKey,
    sign: self.sign,
    publicKeyOf: (id) => roster.get(id),
    machineOf: (known) => [...roster].find(([, one]) => one === known)?.[0],
    rosterVersion: () => self.version,
    behind: (version) => void behind.push(version),
  })
  return Object.assign(self, { handshakes })
}
type Machine = ReturnType<typeof machine>

function pair(): { alice: Machine; bob: Machine } {
  const alice = machine()
  const bob = machine()
  know(alice, bob)
  return { alice, bob }
}

function know(...machines: Machine[]): void {
  for (const one of machines) for (const other of machines) one.roster.set(other.machine, other.publicKey)
}

/** Both ends of one TLS connection, of which each has seen the other's certificate. */
function connect(dialer: Machine, listener: Machine, binding = nonce()): { dialing: Dialing; listening: Listening } {
  return {
    dialing: dialer.handshakes.dial(
      { machine: listener.machine, path: 'lan' },
      { nonce: nonce(), binding, peerKey: listener.publicKey },
    ),
    listening: listener.handshakes.listen({ nonce: nonce(), binding, peerKey: dialer.publicKey }),
  }
}

const good = <T>(outcome: T): Exclude<T, { isRefused: true }> => {
  expect(outcome).toMatchObject({ isRefused: false })
  return outcome as Exclude<T, { isRefused: true }>
}
const no = (why: string | RegExp) => ({
  isRefused: true,
  why: typeof why === 'string' ? why : expect.stringMatching(why),
})
const answerTo = (listening: Listening, hello: PeerHello): PeerWelcome => good(listening.hello(hello)).welcome

function run({ dialing, listening }: { dialing: Dialing; listening: Listening }): { dialer: Proved; listener: Proved } {
  const { finish, proved } = good(dialing.welcome(answerTo(listening, dialing.hello)))
  return { dialer: proved, listener: good(listening.finish(finish)).proved }
}

describe('two machines of one roster', () => {
  test('prove themselves, and have one name for the link', () => {
    const { alice, bob } = pair()
    const { dialer, listener } = run(connect(alice, bob))
    expect(dialer).toEqual({ machine: bob.machine, bootId: bob.bootId, kind: 'lan', linkId: listener.linkId })
    expect(listener).toEqual({ machine: alice.machine, bootId: alice.bootId, kind: 'lan', linkId: dialer.linkId })
    expect(dialer.linkId).toMatch(/^[A-Za-z0-9_-]{16}$/)
  })

  test('have another name for each link', () => {
    const { alice, bob } = pair()
    expect(run(connect(alice, bob)).dialer.linkId).not.toBe(run(connect(alice, bob)).dialer.linkId)
  })

  test('may dial each other at once', () => {
    const { alice, bob } = pair()
    const one = connect(alice, bob)
    const other = connect(bob, alice)
    const answers = [answerTo(one.listening, one.dialing.hello), answerTo(other.listening, other.dialing.hello)]
    for (const [n, { dialing, listening }] of [one, other].entries())
      good(listening.finish(good(dialing.welcome(answers[n])).finish))
  })
})

describe('who is refused by the listener', () => {
  test('a machine that is in no roster', () => {
    const { bob } = pair()
    const eve = machine()
    eve.roster.set(bob.machine, bob.publicKey)
    const { dialing, listening } = connect(eve, bob)
    expect(listening.hello(dialing.hello)).toEqual(no('a key that the roster does not have'))
    expect(bob.behind).toEqual([])
  })

  test('a machine that is in no roster yet, until the newer roster that it speaks of is here', () => {
    const { alice, bob } = pair()
    bob.roster.delete(alice.machine)
    alice.version = 9
    const { dialing, listening } = connect(alice, bob)
    expect(listening.hello(dialing.hello)).toEqual(no('a key that the roster does not have'))
    expect(bob.behind).toEqual([9])
    know(alice, bob)
    bob.version = 9
    run(connect(alice, bob))
    expect(bob.behind).toEqual([9])
  })

  test('a machine that was revoked, also in the middle of the handshake', () => {
    const { alice, bob } = pair()
    const { dialing, listening } = connect(alice, bob)
    const { finish } = good(dialing.welcome(answerTo(listening, dialing.hello)))
    bob.roster.delete(alice.machine)
    expect(listening.finish(finish)).toEqual(no('a key that the roster does not have any more'))
    const again = connect(alice, bob)
    expect(again.listening.hello(again.dialing.hello)).toEqual(no('a key that the roster does not have'))
  })

  test('a machine of the roster under the id of another', () => {
    const { alice, bob } = pair()
    const carol = machine()
    know(alice, bob, carol)
    const { dialing, listening } = connect(carol, bob)
    expect(listening.hello({ ...dialing.hello, from: alice.machine })).toEqual(
      no('a key that the roster does not have'),
    )
  })

  test('a key that the roster has replaced', () => {
    const { alice, bob } = pair()
    const { dialing, listening } = connect(alice, bob)
    bob.roster.set(alice.machine, newIdentity().publicKey)
    expect(listening.hello(dialing.hello)).toEqual(no('a key that the roster does not have'))
  })

  test('itself', () => {
    const { bob } = pair()
    const { dialing, listening } = connect(bob, bob)
    expect(listening.hello(dialing.hello)).toEqual(no('a key that the roster does not have'))
  })

  test('another organization, which may even know the key', () => {
    const { bob } = pair()
    const eve = machine({ org: randomUUID() })
    know(eve, bob)
    const { dialing, listening } = connect(eve, bob)
    expect(listening.hello(dialing.hello)).toEqual(no('another organization'))
  })

  test('a hello that was meant for another machine', () => {
    const { alice, bob } = pair()
    const carol = machine()
    know(alice, bob, carol)
    const { dialing } = connect(alice, bob)
    const { listening } = connect(alice, carol)
    expect(listening.hello(dialing.hello)).toEqual(no(`a hello for machine ${bob.machine}`))
  })

  test('a machine other than the one that the connection was punched for', () => {
    const { alice, bob } = pair()
    const binding = nonce()
    const { dialing } = connect(alice, bob, binding)
    const listening = bob.handshakes.listen({ nonce: nonce(), binding, peerKey: alice.publicKey }, randomUUID())
    expect(listening.hello(dialing.hello)).toEqual(no(/^not machine /))
  })

  test('a version of the handshake that it does not speak', () => {
    const { alice, bob } = pair()
    for (const v of [2, 99]) {
      const { dialing, listening } = connect(alice, bob)
      expect(listening.hello({ ...dialing.hello, v })).toEqual(no(`version ${v}`))
    }
  })

  test('a roster that is too old to be believed: nobody is in it', () => {
    const { alice, bob } = pair()
    bob.roster.clear()
    const { dialing, listening } = connect(alice, bob)
    expect(listening.hello(dialing.hello)).toEqual(no('a key that the roster does not have'))
  })
})

describe('who is refused by the dialer', () => {
  test('another machine of the roster that answers in its place', () => {
    const { alice, bob } = pair()
    const carol = machine()
    know(alice, bob, carol)
    const binding = nonce()
    const dialing = alice.handshakes.dial(
      { machine: bob.machine, path: 'lan' },
      { nonce: nonce(), binding, peerKey: carol.publicKey },
    )
    const listening = carol.handshakes.listen({ nonce: nonce(), binding, peerKey: alice.publicKey })
    const welcome = answerTo(listening, { ...dialing.hello, to: carol.machine })
    expect(dialing.welcome(welcome)).toEqual(no(`an answer from machine ${carol.machine}`))
  })

  test('another machine that says it were the one that was meant', () => {
    const { alice, bob } = pair()
    const carol = machine()
    know(alice, bob, carol)
    const binding = nonce()
    const dialing = alice.handshakes.dial(
      { machine: bob.machine, path: 'lan' },
      { nonce: nonce(), binding, peerKey: carol.publicKey },
    )
    const listening = carol.handshakes.listen({ nonce: nonce(), binding, peerKey: alice.publicKey })
    const welcome = { ...answerTo(listening, { ...dialing.hello, to: carol.machine }), from: bob.machine }
    expect(dialing.welcome(welcome)).toEqual(no('a key that the roster does not have for it'))
  })

  test('the machine that was meant, once it is revoked', () => {
    const { alice, bob } = pair()
    const { dialing, listening } = connect(alice, bob)
    const welcome = answerTo(listening, dialing.hello)
    alice.roster.delete(bob.machine)
    expect(dialing.welcome(welcome)).toEqual(no('a key that the roster does not have for it'))
  })
})

describe('replays', () => {
  test('a hello that was heard before, on another connection of that machine', () => {
    const { alice, bob } = pair()
    const first = connect(alice, bob)
    run(first)
    const { listening } = connect(alice, bob)
    expect(listening.hello(first.dialing.hello)).toEqual(no('a nonce that was used before'))
  })

  test('a finish that was heard before', () => {
    const { alice, bob } = pair()
    const first = connect(alice, bob)
    const { finish } = good(first.dialing.welcome(answerTo(first.listening, first.dialing.hello)))
    good(first.listening.finish(finish))
    const { dialing, listening } = connect(alice, bob)
    answerTo(listening, dialing.hello)
    expect(listening.finish(finish)).toEqual(no('a proof that does not fit'))
  })

  test('an answer that was heard before, with its nonce or with a new one', () => {
    const { alice, bob } = pair()
    const first = connect(alice, bob)
    const welcome = answerTo(first.listening, first.dialing.hello)
    good(first.dialing.welcome(welcome))
    expect(connect(alice, bob).dialing.welcome(welcome)).toEqual(no('a nonce that was used before'))
    expect(connect(alice, bob).dialing.welcome({ ...welcome, nonce: nonce() })).toEqual(no('a proof that does not fit'))
  })

  test('a nonce that has long been forgotten still proves nothing', () => {
    const { alice, bob } = pair()
    const first = connect(alice, bob)
    const { finish } = good(first.dialing.welcome(answerTo(first.listening, first.dialing.hello)))
    good(first.listening.finish(finish))
    for (let n = 0; n < 8_192; n++) connect(alice, bob)
    const { listening } = connect(alice, bob)
    answerTo(listening, first.dialing.hello)
    expect(listening.finish(finish)).toEqual(no('a proof that does not fit'))
  })

  test('a finish without a hello, a second hello, a second finish, a second answer', () => {
    const { alice, bob } = pair()
    const { dialing, listening } = connect(alice, bob)
    expect(connect(alice, bob).listening.finish({ proof: 'A'.repeat(86) })).toEqual(no('a finish out of turn'))
    const welcome = answerTo(listening, dialing.hello)
    expect(listening.hello(dialing.hello)).toEqual(no('a second hello'))
    const { finish } = good(dialing.welcome(welcome))
    expect(dialing.welcome(welcome)).toEqual(no('a second answer'))
    good(listening.finish(finish))
    expect(listening.finish(finish)).toEqual(no('a finish out of turn'))
  })
})

describe('reflection', () => {
  test('a hello with a nonce of our own', () => {
    const { alice, bob } = pair()
    const { dialing } = connect(bob, alice)
    const { listening } = connect(alice, bob)
    const hello = { ...dialing.hello, from: alice.machine, to: bob.machine }
    expect(listening.hello(hello)).toEqual(no('a nonce that was used before'))
  })

  test('an answer with our own nonce', () => {
    const { alice, bob } = pair()
    const { dialing, listening } = connect(alice, bob)
    const welcome = { ...answerTo(listening, dialing.hello), nonce: dialing.hello.nonce }
    expect(dialing.welcome(welcome)).toEqual(no('a nonce that was used before'))
  })

  test('the listener’s own proof, said back to it as the dialer’s', () => {
    const { alice, bob } = pair()
    const { dialing, listening } = connect(alice, bob)
    const { proof } = answerTo(listening, dialing.hello)
    expect(listening.finish({ proof })).toEqual(no('a proof that does not fit'))
  })
})

test('a proof of the wrong role is refused, though everything else of it is right', () => {
  const { alice, bob } = pair()
  const { dialing, listening } = connect(alice, bob)
  // What a machine signs when it dials, never what it signs when it listens: the letter is the difference.
  const asDialer: string[] = []
  const eve = createHandshakes({
    org: ORG,
    machine: bob.machine,
    bootId: bob.bootId,
    publicKey: bob.publicKey,
    sign(text) {
      asDialer.push(text)
      return bob.sign(`D${text.slice(1)}`)
    },
    publicKeyOf: (id) => bob.roster.get(id),
    machineOf: (key) => (key === alice.publicKey ? alice.machine : undefined),
    rosterVersion: () => 5,
    behind: () => undefined,
  })
  const binding = nonce()
  const again = alice.handshakes.dial(
    { machine: bob.machine, path: 'lan' },
    { nonce: nonce(), binding, peerKey: bob.publicKey },
  )
  const swapped = good(eve.listen({ nonce: nonce(), binding, peerKey: alice.publicKey }).hello(again.hello)).welcome
  expect(asDialer[0]).toMatch(/^L/)
  expect(again.welcome(swapped)).toEqual(no('a proof that does not fit'))
  run({ dialing, listening })
})

describe('a man in the middle', () => {
  test('who passes every word on between two TLS sessions of his own', () => {
    const { alice, bob } = pair()
    const one = connect(alice, bob, nonce())
    const other = connect(alice, bob, nonce())
    const welcome = answerTo(other.listening, one.dialing.hello)
    expect(one.dialing.welcome(welcome)).toEqual(no('a proof that does not fit'))
  })

  const fields: (keyof PeerHello)[] = ['bootId', 'nonce', 'rosterVersion', 'path']
  test.each(fields)('who changes %s of the hello', (field) => {
    const { alice, bob } = pair()
    const { dialing, listening } = connect(alice, bob)
    const others = { bootId: randomUUID(), nonce: nonce(), rosterVersion: 4, path: 'vpn' as const }
    const welcome = answerTo(listening, { ...dialing.hello, [field]: others[field as keyof typeof others] })
    expect(dialing.welcome(welcome)).toEqual(no('a proof that does not fit'))
  })

  test.each(['bootId', 'nonce', 'rosterVersion'] as const)('who changes %s of the answer', (field) => {
    const { alice, bob } = pair()
    const { dialing, listening } = connect(alice, bob)
    const others = { bootId: randomUUID(), nonce: nonce(), rosterVersion: 4 }
    const welcome = { ...answerTo(listening, dialing.hello), [field]: others[field] }
    expect(dialing.welcome(welcome)).toEqual(no('a proof that does not fit'))
  })
})

describe('rosters', () => {
  test('whoever holds a newer one is a reason to ask for it, on either side', () => {
    const { alice, bob } = pair()
    alice.version = 7
    run(connect(alice, bob))
    run(connect(bob, alice))
    expect([alice.behind, bob.behind]).toEqual([[], [7, 7]])
  })

  test('a machine that goes back behind the roster that it showed before is refused, on either side', () => {
    const { alice, bob } = pair()
    alice.version = 7
    run(connect(alice, bob))
    alice.version = 6
    const asDialer = connect(alice, bob)
    expect(asDialer.listening.hello(asDialer.dialing.hello)).toEqual(no(/^roster 6, though it had 7 before/))
    const { dialing, listening } = connect(bob, alice)
    expect(dialing.welcome(answerTo(listening, dialing.hello))).toEqual(no(/^roster 6, though it had 7 before/))
    alice.version = 7
    run(connect(alice, bob))
  })

  test('what was not proved is not remembered', () => {
    const { alice, bob } = pair()
    const { dialing, listening } = connect(alice, bob)
    answerTo(listening, { ...dialing.hello, rosterVersion: 99 })
    expect(listening.finish({ proof: 'A'.repeat(86) })).toEqual(no('a proof that does not fit'))
    run(connect(alice, bob))
  })

  test('a handshake that began before a newer roster was seen is not taken for a step back', () => {
    const { alice, bob } = pair()
    const early = connect(alice, bob)
    alice.version = 8
    run(connect(alice, bob))
    run(early)
  })
})

describe('garbage', () => {
  test('nothing but the right hello is answered, and nothing but the right finish is taken', () => {
    const { alice, bob } = pair()
    fc.assert(
      fc.property(fc.infiniteStream(fc.nat()), oddValue, (seed, odd) => {
        const { dialing, listening } = connect(alice, bob)
        const hello = fc.sample(mutated(connect(alice, bob).dialing.hello), { numRuns: 1, seed: seed.next().value })[0]
        const answers = [odd, hello].map((frame) => connect(alice, bob).listening.hello(frame))
        for (const outcome of answers) {
          // What is still a hello of Alice for Bob (a field more, another candidate) may be answered; nothing else is.
          if (!outcome.isRefused) expect(hello).toMatchObject({ org: ORG, from: alice.machine, to: bob.machine, v: 1 })
        }
        const welcome = answerTo(listening, dialing.hello)
        const changed = fc.sample(mutated(welcome), { numRuns: 1, seed: seed.next().value })[0]
        const taken = dialing.welcome(changed)
        if (!taken.isRefused) expect(changed).toMatchObject(welcome)
        expect(listening.finish(odd)).toMatchObject({ isRefused: true })
      }),
      { numRuns: 300 },
    )
  })

  test('a finish with any other proof is refused', () => {
    const { alice, bob } = pair()
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 64, maxLength: 64 }), (bytes) => {
        const { dialing, listening } = connect(alice, bob)
        answerTo(listening, dialing.hello)
        const finish: PeerFinish = { proof: Buffer.from(bytes).toString('base64url') }
        expect(listening.finish(finish)).toMatchObject({ isRefused: true })
      }),
      { numRuns: 100 },
    )
  })
})
