/** Machines that dial each other in the same moment, over real sockets: in the end there is one connection, and both use it. */
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { type Crowd, type Dialer, startDialers } from './support/dialers.ts'

/** Nothing happened for so long: a connection that was ended is cut after 1 s, and the manager goes on as soon as something comes. */
const QUIET_MS = 3_000
const WITHIN_MS = 90_000

let crowd: Crowd | undefined
afterEach(async () => {
  await crowd?.stop()
  crowd = undefined
})

async function start(...options: Parameters<typeof startDialers>): Promise<Crowd> {
  crowd = await startDialers(...options)
  return crowd
}

type Pair = readonly [Dialer, Dialer]

/** Each asks the other something by the link that it uses: it comes by the very link that the other end uses. */
async function expectOneLinkEach({ dialers, sockets, pairOf }: Crowd, pairs: readonly Pair[]): Promise<void> {
  const asked: { id: string; from: Dialer; to: Dialer }[] = []
  for (const [one, other] of pairs)
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      const id = randomUUID()
      asked.push({ id, from, to })
      await from.runner.sendSignal(to.machine, { type: 'ping', id }, undefined)
    }
  const until = performance.now() + 10_000
  while (performance.now() < until && asked.some(({ id, to }) => !to.probes.has(id))) await pause(20)
  const wrong: string[] = []
  for (const { id, from, to } of asked) {
    const used = from.runner.linkOf(to.machine)
    const probe = to.probes.get(id)
    if (used === null || used !== to.runner.linkOf(from.machine)) wrong.push('two ends use different links, or none')
    else if (probe?.link !== used) wrong.push(`what was sent by a link came by ${probe?.link ?? 'none'}`)
    if (probe !== undefined && probe.from !== from.machine) wrong.push('a link leads to another machine')
    if (!to.up.has(from.machine)) wrong.push('the core does not know of a link')
  }
  for (const [one, other] of pairs) {
    const { dialed, taken } = sockets.open(pairOf(one, other))
    if (dialed !== 1 || taken !== 1)
      wrong.push(`${dialed} dialed and ${taken} taken sockets are open between two machines`)
  }
  expect(wrong).toEqual([])
  expect(sockets.count()).toBe(2 * pairs.length)
  // On the way there nobody was without one that had one.
  expect(dialers.reduce((sum, { losses }) => sum + losses(), 0)).toBe(0)
}

async function expectNothingLeft({ dialers, sockets, stop }: Crowd): Promise<void> {
  await stop()
  crowd = undefined
  expect(sockets.count()).toBe(0)
  expect(dialers.filter((dialer) => dialer.timers() > 0)).toEqual([])
}

const text = (all: Crowd): string => JSON.stringify(all.outcomes())

test('1,035 pairs of machines dial each other at once: one link each', { timeout: 110_000 }, async () => {
  const all = await start(46)
  const { dialers } = all
  const pairs = dialers.flatMap((one, n) => dialers.slice(n + 1).map((other): Pair => [one, other]))
  all.hold()
  for (const one of dialers) for (const other of dialers) if (one !== other) one.runner.want(other.machine)
  all.release()
  await all.quiet(QUIET_MS, WITHIN_MS)
  expect(all.crossed(), text(all)).toBeGreaterThanOrEqual(1_000)
  expect(all.peak()).toBeGreaterThanOrEqual(1_000)
  await expectOneLinkEach(all, pairs)
  await expectNothingLeft(all)
})

test('two machines look for each other 200 times, each a little sooner or later: one link each time', {
  timeout: 110_000,
}, async () => {
  const all = await start(400, () => 1 + 80 * Math.random() ** 2)
  const pairs = Array.from(
    { length: 200 },
    (_, n): Pair => [all.dialers[2 * n] as Dialer, all.dialers[2 * n + 1] as Dialer],
  )
  for (const [one, other] of pairs) {
    one.runner.want(other.machine)
    await pause(Math.random() * 12)
    other.runner.want(one.machine)
  }
  await all.quiet(QUIET_MS, WITHIN_MS)
  expect(all.crossed(), text(all)).toBeGreaterThanOrEqual(20)
  await expectOneLinkEach(all, pairs)
  await expectNothingLeft(all)
})
