/** Two real daemons that talk directly, lose the direct link, go on by relay, and come back: nothing is lost, doubled or out of order. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { LinkView, TraceView } from '@agent-relay/protocol/local'
import { expect, test } from 'vitest'
import { SHORT_MS } from '../src/peers/manager/limits.ts'
import { builtCli } from './faults/built-cli.ts'
import { asking, type Machine } from './faults/machine.ts'
import { verdict } from './faults/oracle.ts'
import { within } from './faults/program.ts'
import { type Scene, withScene } from './faults/scene.ts'

const cli = builtCli()
/** Looking for a link takes signals over a real control plane; a busy computer takes its time for each. */
const LINK_MS = 30_000
const PACE = 4

const portOf = (machine: Machine): number => Number(readFileSync(join(machine.home, 'peer-port'), 'utf8'))

async function linkOf(machine: Machine, other: Machine): Promise<LinkView | undefined> {
  const { machines } = await machine.status()
  return machines.find(({ id }) => id === other.id)?.link
}

async function untilLink(machine: Machine, other: Machine, isMeant: (link: LinkView) => boolean): Promise<LinkView> {
  let latest: LinkView | undefined
  const look = async (): Promise<LinkView> => {
    for (;;) {
      latest = await linkOf(machine, other)
      if (latest !== undefined && isMeant(latest)) return latest
      await pause(50)
    }
  }
  return within(LINK_MS, look(), () => `the link is ${JSON.stringify(latest)}\n${machine.daemon.lastWords()}`)
}

/** Resets the connections of both daemons' ports; `isLasting`: and all that come, until the next call without it. */
async function cut(machines: Machine[], isLasting: boolean): Promise<void> {
  const ports = machines.map(portOf)
  await Promise.all(machines.map(({ daemon }) => daemon.ask('cut', { ports, isLasting })))
}

/** By which path the newest message of `from` went. */
async function lastPath(scene: Scene, from: string, to: string): Promise<string | null> {
  const sender = scene.agent(from)
  const attempt = await sender.send(scene.agent(to))
  await scene.bell.until(() => attempt?.arrivedAt !== undefined)
  const id = attempt?.id as string
  const trace: TraceView = await asking(sender.machine.socket, async (connection) => {
    await connection.request('wait', { ids: [id], state: 'accepted', timeoutMs: 20_000 })
    return connection.request('trace', { message: id })
  })
  return trace.hops.filter(({ path }) => path !== undefined).at(-1)?.path ?? null
}

test('direct, cut, by relay, and direct again', { timeout: 180_000 }, async () => {
  await withScene({ cli: cli(), cast: { alice: ['Ann'], bob: ['Bob'] }, pace: PACE, isDirect: true }, async (scene) => {
    const [alice, bob] = [scene.machine('alice'), scene.machine('bob')]
    const [ann, ben] = [scene.agent('Ann'), scene.agent('Bob')]
    const burst = async (count: number) => {
      for (let i = 0; i < count; i++) await Promise.all([ann.send(ben), ben.send(ann)])
    }
    const direct = await untilLink(alice, bob, ({ state, latencyMs }) => state === 'direct' && latencyMs !== null)
    await untilLink(bob, alice, ({ state }) => state === 'direct')
    expect(['local', 'lan']).toContain(direct.kind)
    expect(direct.remote).not.toBe(null)
    expect(direct.why).not.toBe('')
    await burst(100)
    expect(await lastPath(scene, 'Ann', 'Bob')).toBe('direct')
    expect(await lastPath(scene, 'Bob', 'Ann')).toBe('direct')

    const ping = await asking(alice.socket, (connection) => connection.request('ping', { name: 'Bob' }))
    expect(ping).toMatchObject({ path: 'direct', kind: direct.kind, remote: direct.remote, inbox: 'ok' })
    const facts = await asking(bob.socket, (connection) => connection.request('netcheck', {}))
    expect(facts).toMatchObject({ port: portOf(bob), direct: { isOn: true }, mapping: { state: 'off' } })

    // Cut in the middle of traffic; not as often as makes both pause.
    for (let i = 0; i < 3; i++) {
      const sending = burst(40)
      await cut([alice, bob], false)
      await sending
    }
    await untilLink(alice, bob, ({ state, forMs }) => state === 'direct' && forMs > SHORT_MS)

    await cut([alice, bob], true)
    await untilLink(alice, bob, ({ state }) => state === 'relay' || state === 'probing')
    expect(await lastPath(scene, 'Ann', 'Bob')).toBe('relay')
    const relayed = await asking(alice.socket, (connection) => connection.request('ping', { name: 'Bob' }))
    expect(relayed).toMatchObject({ path: 'relay', kind: null, remote: null, inbox: 'ok' })
    await burst(40)
    const lost = await untilLink(alice, bob, ({ state }) => state === 'relay')
    expect(lost.kind).toBe(null)
    expect(lost.why).toMatch(/answered|ended|breaking|refused/)

    await cut([alice, bob], false)
    const isBack = untilLink(alice, bob, ({ state }) => state === 'direct')
    const talk = setInterval(() => void ann.send(ben), 200)
    await isBack.finally(() => clearInterval(talk))
    await untilLink(bob, alice, ({ state }) => state === 'direct')
    expect(await lastPath(scene, 'Ann', 'Bob')).toBe('direct')
    expect(await verdict(scene)).toEqual([])
  })
})

test('the control plane goes, and what is linked talks on', { timeout: 120_000 }, async () => {
  await withScene({ cli: cli(), cast: { alice: ['Ann'], bob: ['Bob'] }, pace: PACE, isDirect: true }, async (scene) => {
    const [alice, bob] = [scene.machine('alice'), scene.machine('bob')]
    await untilLink(alice, bob, ({ state }) => state === 'direct')
    await untilLink(bob, alice, ({ state }) => state === 'direct')
    await scene.plane.program.kill()
    expect(await lastPath(scene, 'Ann', 'Bob')).toBe('direct')
    expect(await lastPath(scene, 'Bob', 'Ann')).toBe('direct')
    // Also when that link breaks: what is known of the other is enough.
    await cut([alice, bob], false)
    const talk = setInterval(() => void scene.agent('Ann').send(scene.agent('Bob')), 200)
    await untilLink(alice, bob, ({ state }) => state === 'direct').finally(() => clearInterval(talk))
    expect(await lastPath(scene, 'Ann', 'Bob')).toBe('direct')
    await scene.plane.start().ready
    expect(await verdict(scene)).toEqual([])
  })
})
