/** Whom a daemon believes, with its home and its store on a real disk, against a control plane that can be made to lie. */
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROSTER_HARD_MS, ROSTER_SOFT_MS } from '@agent-relay/protocol'
import { isSigned, newKeyPair } from '@agent-relay/protocol/crypto'
import type { Socket } from 'socket.io'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { delta, machine, roster, TestPlane } from '../../test/support/test-plane.ts'
import { createRunHost } from '../agents/host.ts'
import { type Link, pinControlKey, readConfig, writeConfig } from '../home/config.ts'
import { openHome } from '../home/home.ts'
import { ensureIdentity } from '../home/identity.ts'
import type { HomePaths } from '../home/paths.ts'
import type { Log } from '../log.ts'
import { openStore } from '../store/store.ts'
import type { Clock } from './clock.ts'
import { createControl } from './control.ts'
import { createMail } from './mail.ts'
import { createSealer } from './seals.ts'
import { createService } from './service.ts'
import { rosterHealth } from './trust.ts'

const BOB = newKeyPair('Ed25519').publicKey
const withBob = (version: number) => ({ ...roster(version), machines: [machine('m1', null), machine('bob', BOB)] })

let folder: string
let paths: HomePaths
let plane: TestPlane
let link: Link
const stops: (() => Promise<void>)[] = []
/** How long ago the daemon's clock says it is beyond the real one. */
let aheadMs = 0
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'relay-control-'))
  paths = openHome(folder)
  ensureIdentity(paths)
  plane = new TestPlane()
  plane.greet = (socket) => plane.greetWith(socket, withBob(3))
  plane.answers.heartbeat = ({ at }: { at: number }) => ({
    ...{ at, now: Date.now() },
    fresh: plane.sign('fresh', { org: 'o1', version: 1, at: Date.now() }),
  })
  aheadMs = 0
  link = {
    ...{ url: await plane.listen(), key: 'ar_live_good', person: 'alice', linkedAt: 0 },
    ...{ machine: { id: 'm1', name: 'alice-mbp' }, org: { id: 'o1', slug: 'acme', name: 'Acme' } },
  }
  writeConfig(paths, { v: 1, link })
})
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
  await plane.close()
  rmSync(folder, { recursive: true, force: true })
})

/** What daemon.ts puts together for the link to the control plane. */
function daemon() {
  const errors: unknown[] = []
  const log: Log = {
    ...{ info: () => undefined, debug: () => undefined, warn: () => undefined },
    error: (text, fields) => void errors.push(`${text} ${fields?.error}`),
  }
  const clock: Clock = {
    now: () => Date.now() + aheadMs,
    soon: (act) => void setImmediate(act),
    after(ms, act) {
      const timer = setTimeout(act, ms)
      return () => clearTimeout(timer)
    },
  }
  const store = openStore(paths.db)
  const engine = () => service.engine
  const sealer = createSealer({
    ...{ paths, log, trust: () => control.trust(), known: () => engine().state().roster },
    putSeals: (seals) => control.putSeals(seals),
  })
  const mail = createMail({ engine, sealer, log })
  const control = createControl({ paths, store, log, version: '0.1.0', engine, mail, sealer })
  const service = createService({
    ...{ paths, store, log, runHost: createRunHost(), clock, outward: control.outward, restored: control.restore },
    ...{ channels: control.channels, status: () => ({}) as never, reload: control.load, shutdown: () => undefined },
    ...{ peering: undefined as never, netcheck: () => ({}) as never },
  })
  let isStopped = false
  async function stop(): Promise<void> {
    if (isStopped) return
    isStopped = true
    control.stop()
    sealer.stop()
    service.stop()
    await store.close()
  }
  stops.push(stop)
  /** Resolves at the change after which this holds. */
  const until = (holds: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (!holds()) return
        end()
        resolve()
      }
      const end = control.onTrust(look)
      look()
    })
  const isBelieving = (): boolean => control.trust().roster !== null
  return { control, service, errors, stop, until, isBelieving }
}

/** One that has linked, and believes what it was told. */
async function believing() {
  const started = daemon()
  await started.control.load()
  await started.until(started.isBelieving)
  return { ...started, socket: plane.sockets.at(-1) as Socket }
}

test('the first key is kept in config.json, private, and a reload is no reason to connect again', async () => {
  const { control } = await believing()
  expect(readConfig(paths)).toEqual({ v: 1, link: { ...link, controlKey: plane.control.publicKey } })
  if (process.platform !== 'win32') expect(statSync(paths.config).mode & 0o777).toBe(0o600)
  await control.load()
  expect(control.trust().isOnline).toBe(true)
  expect(plane.sockets).toHaveLength(1)
})

test('says who this machine is, with a key that proves it, and whom it believes', async () => {
  const { control } = await believing()
  const { self, roster: believed, isOnline, why } = control.trust()
  expect(self).toMatchObject({ org: 'o1', machine: 'm1', bootId: plane.sockets[0]?.handshake.auth.bootId })
  expect(isSigned(ensureIdentity(paths).publicKey, 'text', self?.identity.sign('text') ?? '')).toBe(true)
  expect(self?.identityKey).toContain('PRIVATE KEY')
  expect(believed?.machines.get('bob')?.publicKey).toBe(BOB)
  expect({ isOnline, why }).toEqual({ isOnline: true, why: null })
})

test('a roster that only a greeting brought is not believed for links: it may be an old recording', async () => {
  plane.answers.heartbeat = ({ at }: { at: number }) => ({ at, now: Date.now() })
  const { control, until, service } = daemon()
  await control.load()
  await until(() => control.trust().isOnline)
  await new Promise((resolve) => service.engine.afterCommit(() => resolve(undefined)))
  expect(control.trust()).toMatchObject({
    roster: null,
    why: expect.stringContaining('has not confirmed the roster yet'),
  })
})

test('a machine that is removed is gone by the time that listeners hear of it, whatever one of them throws', async () => {
  const { control, socket, errors } = await believing()
  const end = control.onTrust(() => {
    throw new Error('a defect of a listener')
  })
  const heard = new Promise<boolean>((resolve) => {
    const stop = control.onTrust(() => {
      stop()
      resolve(control.trust().roster?.machines.has('bob') ?? true)
    })
  })
  socket.emit('roster', plane.sign('delta', { ...delta(3, 4), removedMachines: ['bob'] }))
  expect(await heard).toBe(false)
  end()
  expect(errors).toEqual([expect.stringContaining('a defect of a listener')])
})

test('another key after a restart is refused with the next step, and what is on disk is believed on, for a day', async () => {
  const first = await believing()
  await first.stop()
  plane.control = newKeyPair('Ed25519')
  const { control, until, service } = daemon()
  await control.load()
  await until(() => control.view().state === 'waiting')
  expect(control.view().reason).toMatch(/another key.*AUTH_SECRET.*agent-relay unlink && agent-relay link$/)
  expect(control.trust()).toMatchObject({ isOnline: false, why: null, roster: { version: 3 } })
  expect(service.engine.state().roster?.version).toBe(3)
  const age = (): string | null => rosterHealth(service.engine.state(), service.engine.now())
  expect(age()).toBeNull()
  aheadMs = ROSTER_SOFT_MS
  expect(age()).toMatch(/^the roster is 15 minutes old: .* at 24 hours direct links end$/)
  expect(control.trust().roster).not.toBeNull()
  aheadMs = ROSTER_HARD_MS
  expect(age()).toMatch(/^the roster is 24 hours old, so there are no direct links/)
  expect(control.trust()).toMatchObject({ roster: null, why: age() })
})

test('an old roster after a restart is refused, also when it is signed and the disk has the newer one', async () => {
  const first = await believing()
  first.socket.emit('roster', plane.sign('delta', delta(3, 9)))
  await first.until(() => first.control.trust().roster?.version === 9)
  await first.stop()
  const { control, until } = daemon()
  await control.load()
  await until(() => control.view().state === 'waiting')
  expect(control.view().reason).toContain('an old roster (version 3; this machine has seen 9)')
  expect(plane.proofs.at(-1)).toMatchObject({ rosterVersion: 9 })
})

test('a machine that is refused for good believes nobody, until it is linked anew', async () => {
  const { control, socket, until, isBelieving } = await believing()
  socket.emit('goodbye', { code: 'CLONED', message: 'Another copy of this folder runs.' })
  await until(() => !isBelieving())
  expect(control.trust()).toMatchObject({ roster: null, isOnline: false, why: 'Another copy of this folder runs.' })
  expect(control.view().state).toBe('refused')

  writeConfig(paths, { v: 1, link: null })
  await control.load()
  expect(control.trust()).toMatchObject({ self: null, roster: null, why: expect.stringContaining('agent-relay link') })
  // Linked again, with another key on the other side: a new link begins without one.
  plane.control = newKeyPair('Ed25519')
  writeConfig(paths, { v: 1, link: { ...link, linkedAt: 1 } })
  await control.load()
  await until(isBelieving)
  expect(readConfig(paths).link?.controlKey).toBe(plane.control.publicKey)
})

test('a control plane that signs nothing carries messages, and nobody is believed for links', async () => {
  plane.speaks = [1, 2]
  const { control, until, service } = daemon()
  await control.load()
  await until(() => control.view().state === 'connected')
  await new Promise((resolve) => service.engine.afterCommit(() => resolve(undefined)))
  expect(service.engine.state().roster?.version).toBe(3)
  expect(control.trust()).toMatchObject({
    roster: null,
    isOnline: false,
    why: expect.stringContaining('signed no roster'),
  })
  expect(readConfig(paths).link?.controlKey).toBeUndefined()
})

test('what machines say to each other goes through, and says why it cannot', async () => {
  const sealed = { by: 'A'.repeat(11), to: 'B'.repeat(11), data: 'A'.repeat(40) }
  const signal = { id: '0199c0de-0000-4000-8000-000000000001', sealed }
  const unlinked = daemon()
  await expect(unlinked.control.signal({ to: 'bob', ...signal })).rejects.toMatchObject({ code: 'NOT_LINKED' })
  unlinked.control.behind(9)
  await unlinked.stop()

  const { control, socket } = await believing()
  plane.answers.signal = () => ({ done: true })
  const said = once(plane, 'signal')
  await control.signal({ to: 'bob', ...signal })
  expect(await said).toEqual([{ to: 'bob', ...signal }])
  const came = new Promise((resolve) => control.onSignal(resolve))
  socket.emit('signal', { from: 'bob', ...signal })
  expect(await came).toEqual({ from: 'bob', ...signal })
  const asked = once(plane, 'roster.get')
  control.behind(4)
  await asked
})

test('a key is kept only for the link that it was told to', () => {
  const key = newKeyPair('Ed25519').publicKey
  const other = newKeyPair('Ed25519').publicKey
  for (const changed of [null, { ...link, key: 'ar_live_new' }, { ...link, machine: { id: 'm2', name: 'x' } }]) {
    writeConfig(paths, { v: 1, link: changed })
    expect(() => pinControlKey(paths, link, key)).toThrow(expect.objectContaining({ code: 'NOT_LINKED' }))
    expect(readConfig(paths).link).toEqual(changed)
  }
  writeConfig(paths, { v: 1, link })
  expect(pinControlKey(paths, link, key)).toEqual({ ...link, controlKey: key })
  expect(pinControlKey(paths, link, key).controlKey).toBe(key)
  expect(() => pinControlKey(paths, link, other)).toThrow(expect.objectContaining({ code: 'UNTRUSTED' }))
  expect(readConfig(paths).link?.controlKey).toBe(key)
})
