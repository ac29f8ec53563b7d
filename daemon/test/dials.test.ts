/** More than a thousand pairs of machines dial each other in the same moment, over real sockets, TLS and handshakes. */
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { readdirSync, readlinkSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import type { PeerSignal } from '@agent-relay/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RosterIndex } from '../src/core/roster.ts'
import { createSocketTransport } from '../src/peers/socket-transport.ts'
import type { PeerTransport } from '../src/peers/transport.ts'
import { newId } from '../src/service/ids.ts'
import { createLinkRunner, type LinkRunner } from '../src/service/link-runner.ts'
import type { Trust } from '../src/service/trust.ts'

/** Each with each: 1,035 pairs. */
const MACHINES = 46
/** All of them share one thread here, so their clocks run that much slower than this one's. */
const PACE = 10
const FOUND_MS = 120_000
/** By the machines' clocks; a doubt about a link is over in less. */
const QUIET_MS = 500

type Machine = { id: string; runner: LinkRunner; transport: PeerTransport; port: number }
type Options = Parameters<typeof createLinkRunner>[0]
type Identity = Trust['self'] & {}

const setTimer = globalThis.setTimeout
beforeAll(() => {
  const slowly = (act: () => void, ms = 0, ...args: []) => setTimer(act, ms * PACE, ...args)
  globalThis.setTimeout = Object.assign(slowly, { __promisify__: setTimer.__promisify__ }) as typeof setTimeout
})
afterAll(() => {
  globalThis.setTimeout = setTimer
})

function newIdentity(): Identity {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  return {
    org: 'org',
    machine: randomUUID(),
    bootId: randomUUID(),
    identity: { publicKey: publicKey.export({ format: 'jwk' }).x as string } as Identity['identity'],
    identityKey: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  }
}

/** `others` stands for the control plane, which carries signals between them. */
async function startMachine(self: Identity, roster: RosterIndex, others: Map<string, Machine>): Promise<Machine> {
  const trust: Trust = { self, roster, isOnline: true, why: null }
  // No message is sent here, so nothing is stored; what seals signals has its own tests.
  const inert = {
    log: { info() {}, debug() {}, warn() {}, error: raise },
    engine: () => ({ now: () => performance.now() / PACE, submit() {} }),
    sealer: {
      sealSignal: (_: string, signal: PeerSignal) => ({ by: '', to: '', data: JSON.stringify(signal) }),
      openSignal: (_: string, { data }: { data: string }) => JSON.parse(data),
    },
  } as unknown as Pick<Options, 'log' | 'engine' | 'sealer' | 'store' | 'mail'>
  const runner = createLinkRunner({
    ...inert,
    self,
    control: {
      trust: () => trust,
      behind() {},
      async signal({ to, id, sealed }) {
        await pause(1)
        others.get(to)?.runner.signal({ from: self.machine, id, sealed })
      },
    },
    dial: (dial) => transport.dial(dial),
    newMail: () => ({ send() {}, giveBack() {}, stop() {} }),
    ways: () => ({
      candidates: [{ kind: 'lan', host: '127.0.0.1', port: others.get(self.machine)?.port ?? 0 }],
      hosts: [],
      canPunch: false,
    }),
    learn: async () => null,
    localPort: () => undefined,
    probed() {},
    changed() {},
    online() {},
    after(ms, act) {
      const timer = setTimeout(act, ms)
      return () => clearTimeout(timer)
    },
    entropy: { id: newId, unit: Math.random },
  })
  const transport = await createSocketTransport(runner.side)
  return { id: self.machine, runner, transport, port: await transport.listen(0) }
}

function raise(text: string, facts: unknown): never {
  throw new Error(`${text}: ${JSON.stringify(facts)}`)
}

/** Sockets that this process has open, at either end. */
function openSockets(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:')
    } catch {
      return false
    }
  }).length
}

test.skipIf(process.platform !== 'linux')(
  '1,035 pairs of machines dial each other at once: one link each, and no socket beside it',
  { timeout: FOUND_MS + 60_000 },
  async () => {
    const identities = Array.from({ length: MACHINES }, newIdentity)
    const roster = {
      version: 1,
      org: { id: 'org', slug: 'org', name: 'Org' },
      machines: new Map(
        identities.map(({ machine, identity }, i) => [
          machine,
          { id: machine, name: `m${i}`, publicKey: identity.publicKey, seals: [{}], isOnline: true },
        ]),
      ),
    } as unknown as RosterIndex
    const machines = new Map<string, Machine>()
    for (const self of identities) machines.set(self.machine, await startMachine(self, roster, machines))
    const all = [...machines.values()]
    try {
      for (const { runner } of all) {
        runner.trusted()
        runner.reachable(false)
      }
      const before = openSockets()
      for (const one of all) for (const other of all) if (other !== one) one.runner.want(other.id)

      const pairs = all.flatMap((one, i) => all.slice(i + 1).map((other) => [one, other] as const))
      expect(pairs.length).toBeGreaterThanOrEqual(1_000)
      const isOne = ([one, other]: (typeof pairs)[number]): boolean => {
        const id = one.runner.linkOf(other.id)
        return id !== null && other.runner.linkOf(one.id) === id
      }
      const linked = (): string[] => pairs.map((pair) => (isOne(pair) ? (pair[0].runner.linkOf(pair[1].id) ?? '') : ''))
      const until = performance.now() + FOUND_MS
      const isQuiet = (): boolean => linked().every((id) => id !== '') && openSockets() - before === 2 * pairs.length
      while (!isQuiet() && performance.now() < until) await pause(100)

      const links = linked()
      expect(links.filter((id) => id === '').length, 'pairs whose ends do not use the same link').toBe(0)
      expect(new Set(links).size).toBe(pairs.length)
      expect(openSockets() - before, 'two ends of each link and nothing else').toBe(2 * pairs.length)
      await pause(QUIET_MS * PACE)
      expect(linked(), 'a link gave way to another one after all was quiet').toEqual(links)
      expect(openSockets() - before).toBe(2 * pairs.length)
    } finally {
      for (const { runner } of all) runner.stop()
      await Promise.all(all.map(({ transport }) => transport.close()))
    }
  },
)
