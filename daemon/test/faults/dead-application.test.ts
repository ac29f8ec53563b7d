/** Engine.IO's pings come and go while the application behind them is dead: each side notices it in the documented time. */

import { setTimeout as delay } from 'node:timers/promises'
import { HEARTBEAT_DEAD_MS, HEARTBEAT_MS } from '@agent-relay/protocol'
import { expect, test } from 'vitest'
import { builtCli } from './built-cli.ts'
import type { Machine } from './machine.ts'
import { verdict } from './oracle.ts'
import { limits, paced, within } from './program.ts'
import { withScene } from './scene.ts'
import { dialSilently } from './silent-machine.ts'
import { startTraffic } from './traffic.ts'

const cli = builtCli()
/** The gateway looks every 5 s. */
const SWEEP_MS = 5_000
/** A busy computer, in real time. */
const SLACK_MS = 2_500
const options = limits(4 * HEARTBEAT_DEAD_MS)

test.concurrent(
  'a control plane that only answers pings is given up within 40 s, and what it swallowed is sent again',
  options,
  () =>
    withScene({ cli: cli(), cast: { alpha: ['Alice'], beta: ['Bob'] } }, async (scene) => {
      const { proxy, daemon } = scene.machine('beta')
      const { taken } = proxy
      const traffic = startTraffic(scene)
      const deafAt = performance.now()
      proxy.deaf = 'machine'
      await within(
        paced(HEARTBEAT_DEAD_MS) + SLACK_MS,
        scene.bell.until(() => proxy.taken > taken),
        () => `a new connection; ${daemon.lastWords()}`,
      )
      expect(performance.now() - deafAt).toBeGreaterThan(paced(HEARTBEAT_DEAD_MS - HEARTBEAT_MS) - SLACK_MS)
      expect(daemon.lastWords()).toContain('has not answered a heartbeat for 40 s')
      proxy.deaf = 'nobody'
      proxy.reset()
      traffic.stop()
      expect(await verdict(scene)).toEqual([])
    }),
)

test.concurrent(
  'a machine that only answers pings is dropped within 45 s, and what comes for it then waits in its mailbox',
  options,
  () =>
    withScene({ cli: cli(), cast: { alpha: ['Alice'], beta: ['Bob'] } }, async (scene) => {
      const beta = scene.machine('beta')
      const alice = scene.agent('Alice')
      await beta.daemon.kill()
      const silent = await dialSilently(beta, `http://127.0.0.1:${beta.proxy.port}`)
      const word = await within(paced(HEARTBEAT_DEAD_MS + SWEEP_MS) + SLACK_MS, silent.goodbye, () => 'a goodbye')
      expect(word).toMatchObject({ code: 'TIMEOUT', message: expect.stringContaining('No heartbeat came for 40 s') })
      await within(paced(10_000) + SLACK_MS, untilOffline(alice.machine, 'beta'), () => 'the others know it')
      await alice.send(scene.agent('Bob'))
      await within(paced(10_000) + SLACK_MS, scene.untilMail(beta), () => 'mail for it')
      await beta.start().ready
      expect(await verdict(scene)).toEqual([])
    }),
)

async function untilOffline(machine: Machine, other: string): Promise<void> {
  while ((await machine.status()).machines.find(({ name }) => name === other)?.isOnline !== false) await delay(20)
}
