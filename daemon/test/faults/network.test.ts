/** Bad networks between a machine and the control plane, by a proxy of ours. */
import { setTimeout as delay } from 'node:timers/promises'
import { HEARTBEAT_DEAD_MS } from '@agent-relay/protocol'
import { expect, test } from 'vitest'
import { builtCli } from './built-cli.ts'
import { verdict } from './oracle.ts'
import { limits, paced, within } from './program.ts'
import type { Weather } from './pump.ts'
import { type Scene, withScene } from './scene.ts'
import { breakWays, startTraffic } from './traffic.ts'

const cli = builtCli()
const cast = { alpha: ['Alice', 'Ann'], beta: ['Bob'] }
/** Ten waits of at most 3 s, which grow to that, and ten times twenty messages. */
const RECONNECTS_MS = 120_000
const options = limits(RECONNECTS_MS + 2 * HEARTBEAT_DEAD_MS, 60_000)
const COUNT = 60
/** A write for every byte is much work: fewer messages, and the same bytes of each. */
const QUIET_TALK = { count: 15, everyMs: 250 }

/** Talks until everybody has had so many messages from now on, then says what is wrong. */
async function talk(scene: Scene, { count = COUNT, everyMs = 30 } = {}): Promise<string[]> {
  const before = new Map(scene.agents.map((agent) => [agent, agent.handedOver.length]))
  const traffic = startTraffic(scene, everyMs)
  const hasEnough = () => scene.agents.every((agent) => agent.handedOver.length >= (before.get(agent) ?? 0) + count)
  await within(120_000, scene.bell.until(hasEnough), () => `${count} messages for everybody`)
  traffic.stop()
  return verdict(scene)
}

const weathers: Record<string, Weather> = {
  'far away (150 ms with 100 ms of jitter)': { latencyMs: 150, jitterMs: 100 },
  // Of the daemons' own, faster time a tenth of it: some ten messages a second, sealed as they are.
  'over a thin line (60 KB/s)': { bytesPerSecond: 60_000 },
  'in slices of one byte': { sliceBytes: 1 },
}

for (const [name, weather] of Object.entries(weathers))
  test.concurrent(`a machine ${name} gets and sends everything once and in order`, options, () =>
    withScene({ cli: cli(), cast }, async (scene) => {
      for (const { proxy } of scene.machines) proxy.weather = weather
      expect(await talk(scene, weather.sliceBytes === undefined ? {} : QUIET_TALK)).toEqual([])
    }),
  )

test.concurrent('connections that are reset in the middle, again and again, lose nothing', options, () =>
  withScene({ cli: cli(), cast, luck: 0.1 }, async (scene) => {
    const weather = breakWays(scene)
    const before = scene.machine('beta').proxy.taken
    const traffic = startTraffic(scene)
    await within(
      60_000 + paced(RECONNECTS_MS),
      scene.bell.until(() => scene.machine('beta').proxy.taken > before + 10),
      () => '10 resets',
    )
    weather.stop()
    traffic.stop()
    expect(await verdict(scene)).toEqual([])
  }),
)

test.concurrent('a connection that the other side has half closed is opened anew at once', options, () =>
  withScene({ cli: cli(), cast, luck: 0.1 }, async (scene) => {
    const { proxy } = scene.machine('beta')
    const { taken } = proxy
    const traffic = startTraffic(scene)
    proxy.halfClose()
    await within(
      paced(5_000) + 5_000,
      scene.bell.until(() => proxy.taken > taken),
      () => 'a new connection',
    )
    traffic.stop()
    expect(await talk(scene)).toEqual([])
  }),
)

test.concurrent(
  'a half-open connection (bytes go in, nothing comes out) is given up in 40 s, and what fell into it is sent again',
  options,
  () =>
    withScene({ cli: cli(), cast, luck: 0.1 }, async (scene) => {
      const beta = scene.machine('beta')
      const { taken } = beta.proxy
      const traffic = startTraffic(scene)
      beta.proxy.blackhole()
      // Its next try falls into the same hole.
      const isGivenUp = () => beta.proxy.taken > taken
      await within(paced(HEARTBEAT_DEAD_MS) + 3_000, scene.bell.until(isGivenUp), () => beta.daemon.lastWords())
      await delay(paced(20_000))
      expect((await beta.status()).control.state).not.toBe('connected')
      beta.proxy.heal()
      traffic.stop()
      expect(await talk(scene)).toEqual([])
    }),
)
