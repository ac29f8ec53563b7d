/** Paths that break and come back while two machines talk: nobody notices, but for how long it takes. */
import { setTimeout as delay } from 'node:timers/promises'
import { HEARTBEAT_DEAD_MS } from '@agent-relay/protocol'
import { describe, expect, test } from 'vitest'
import type { Attempt } from '../faults/agent.ts'
import { builtCli } from '../faults/built-cli.ts'
import { within } from '../faults/program.ts'
import { startTraffic } from '../faults/traffic.ts'
import { isDirect, type Lab, withLab } from './lab.ts'
import { whyNoLab } from './namespaces.ts'
import { oneHome } from './scenes.ts'

const cast = { alice: ['Alice'], bob: ['Bob'] }
const FOUND_MS = 30_000
const options = { timeout: 180_000 }
/** A silent link is dead at 6.5 s, and what was under way goes by the relay then. */
const FAILOVER_MS = 8_000
const SWITCH_MS = 10_000
/** Where a minute of the daemons need not be one. */
const PACE = 4
const why = whyNoLab()

describe.skipIf(why !== undefined)(`paths that break${why === undefined ? '' : ` (${why})`}`, () => {
  const cli = builtCli()

  test('the cloud is cut off, and machines in one home go on directly', options, () =>
    withLab({ cli: cli(), cast, lay: oneHome, pace: PACE }, async (lab) => {
      const traffic = startTraffic(lab, 50)
      await lab.until('alice', 'bob', isDirect, FOUND_MS)
      lab.network.setCut('cloud', true)
      // Longer than the control link's own heartbeat takes to give up.
      await delay((HEARTBEAT_DEAD_MS + 5_000) / PACE)
      await next(lab, 1_000)
      expect(lab.cli('alice', 'status')).toMatch(/^bob .* direct lan /m)
      lab.network.setCut('cloud', false)
      await within(60_000, untilConnected(lab), () => 'both are connected again')
      traffic.stop()
      expect(await lab.verdict()).toEqual([])
    }),
  )

  test(
    'the direct way is cut, in silence: the next message lands in 8 s by the relay, in order, and the link comes back',
    options,
    () =>
      withLab({ cli: cli(), cast, lay: oneHome }, async (lab) => {
        const traffic = startTraffic(lab, 50)
        await lab.until('alice', 'bob', isDirect, FOUND_MS)
        lab.network.setBlocked('alice', '192.168.1.11', true)
        await next(lab, FAILOVER_MS)
        expect((await lab.link('alice', 'bob'))?.state).not.toBe('direct')
        lab.network.setBlocked('alice', '192.168.1.11', false)
        await lab.until('alice', 'bob', isDirect, 90_000)
        traffic.stop()
        expect(await lab.verdict()).toEqual([])
      }),
  )

  test('only one direction is cut: nothing is called delivered that is not, and the relay takes over', options, () =>
    withLab({ cli: cli(), cast, lay: oneHome }, async (lab) => {
      const traffic = startTraffic(lab, 50)
      await lab.until('alice', 'bob', isDirect, FOUND_MS)
      lab.network.setDeaf('alice', '192.168.1.11', true)
      await next(lab, FAILOVER_MS)
      lab.network.setDeaf('alice', '192.168.1.11', false)
      traffic.stop()
      expect(await lab.verdict()).toEqual([])
    }),
  )

  test('a machine that changes its network goes on within 10 s', options, () =>
    withLab({ cli: cli(), cast, lay: oneHome }, async (lab) => {
      const traffic = startTraffic(lab, 50)
      await lab.until('alice', 'bob', isDirect, FOUND_MS)
      lab.network.move('alice', { wire: 'inet', address: '203.0.113.77/24' })
      await next(lab, SWITCH_MS)
      traffic.stop()
      expect(await lab.verdict()).toEqual([])
    }),
  )
})

/** A message asked for from now on arrives, each way, within so many ms. */
async function next({ agents, bell }: Lab, ms: number): Promise<void> {
  const at = performance.now()
  const isNew = ({ askedAt, arrivedAt }: Attempt) => askedAt > at && arrivedAt !== undefined
  const took = () =>
    agents.map(({ name, attempts }) => `${name}: ${attempts.filter(isNew).length} of ${attempts.length}`)
  await within(
    ms,
    bell.until(() => agents.every(({ attempts }) => attempts.some(isNew))),
    () => took().join(', '),
  )
}

async function untilConnected({ machines }: Lab): Promise<void> {
  for (const machine of machines) while ((await machine.status()).control.state !== 'connected') await delay(100)
}
