/** The control plane away for minutes, Postgres away for half a minute: sends go on, and all of it arrives. */
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { HEARTBEAT_DEAD_MS, LEASE_MS } from '@agent-relay/protocol'
import { expect, test } from 'vitest'
import { createReader } from '../../src/store/reader.ts'
import type { Attempt } from './agent.ts'
import { builtCli } from './built-cli.ts'
import { verdict } from './oracle.ts'
import { signalPostgres } from './postgres-processes.ts'
import { limits, paced, within } from './program.ts'
import { type Scene, withScene } from './scene.ts'
import { startTraffic } from './traffic.ts'

const cli = builtCli()
const cast = { alpha: ['Alice'], beta: ['Bob'] }
/** Every heartbeat is missed and every lease runs out. */
const CUT_MS = HEARTBEAT_DEAD_MS + LEASE_MS
const POSTGRES_AWAY_MS = 30_000
/** Readiness gives the database two seconds, whatever the pace. */
const NOTICED_MS = 5_000

const since = (scene: Scene, at: number): Attempt[] =>
  scene.agents.flatMap(({ attempts }) => attempts.filter((attempt) => attempt.askedAt >= at))

async function untilReady(url: string, isWanted: boolean): Promise<void> {
  for (;;) {
    const { status } = await fetch(`${url}/api/ready`)
    if (status === (isWanted ? 200 : 503)) return
    await delay(100)
  }
}

test.concurrent(
  'the control plane cut off for minutes: sends go on, and everything arrives after it',
  limits(4 * CUT_MS),
  () =>
    withScene({ cli: cli(), cast }, async (scene) => {
      const traffic = startTraffic(scene, 50)
      for (const { proxy } of scene.machines) proxy.cut()
      const cutAt = performance.now()
      await delay(paced(CUT_MS))
      const sent = since(scene, cutAt).filter(({ fate }) => fate === 'queued')
      expect(sent.length).toBeGreaterThan(20)
      expect(sent.filter(({ arrivedAt }) => arrivedAt !== undefined)).toEqual([])
      for (const machine of scene.machines) expect((await machine.status()).control.state).not.toBe('connected')
      for (const { proxy } of scene.machines) proxy.heal()
      const isThere = () => sent.every(({ arrivedAt }) => arrivedAt !== undefined)
      await within(paced(60_000) + 5_000, scene.bell.until(isThere), () => 'what was sent meanwhile has arrived')
      traffic.stop()
      expect(await verdict(scene)).toEqual([])
    }),
)

type Absence = { begin(scene: Scene): Promise<void>; end(scene: Scene): Promise<void> }

const absences: Record<string, Absence> = {
  'that freezes': {
    async begin({ postgres, atEnd }) {
      signalPostgres(postgres.pid(), 'SIGSTOP')
      // Also after a failure: a stopped process cannot even end.
      atEnd(() => signalPostgres(postgres.pid(), 'SIGCONT'))
    },
    end: async ({ postgres }) => signalPostgres(postgres.pid(), 'SIGCONT'),
  },
  'that is stopped and started': {
    begin: ({ postgres }) => postgres.stop(),
    end: ({ postgres }) => postgres.start(),
  },
}

for (const [which, { begin, end }] of Object.entries(absences))
  test.concurrent(
    `a Postgres ${which}: machines that are here go on, and nothing is called stored`,
    limits(4 * CUT_MS),
    () =>
      withScene({ cli: cli(), cast: { ...cast, gamma: ['Gina'] }, hasOwnPostgres: true }, async (scene) => {
        const [alice, gina] = [scene.agent('Alice'), scene.agent('Gina')]
        const traffic = startTraffic(scene, 50)
        await untilReady(scene.plane.url, true)
        await begin(scene)
        const goneAt = performance.now()
        // Whoever is away now can only be waited for in Postgres.
        scene.machine(gina.machine.name).proxy.cut()
        await within(NOTICED_MS, untilReady(scene.plane.url, false), () => 'readiness says no')
        await delay(Math.max(0, goneAt + paced(POSTGRES_AWAY_MS) - performance.now()))
        const live = since(scene, goneAt).filter(({ route }) => route === 'Alice>Bob' || route === 'Bob>Alice')
        expect(live.filter(({ arrivedAt }) => arrivedAt !== undefined).length, 'live relay').toBeGreaterThan(10)
        const parked = since(scene, goneAt).filter(({ route, fate }) => route === 'Alice>Gina' && fate === 'queued')
        expect(parked.length).toBeGreaterThan(10)
        expect(statesOf(alice.machine.db, parked), 'while Postgres is away').toEqual(['queued'])
        await end(scene)
        await within(NOTICED_MS + paced(60_000), untilReady(scene.plane.url, true), () => 'readiness says yes again')
        scene.machine(gina.machine.name).proxy.heal()
        traffic.stop()
        expect(await verdict(scene)).toEqual([])
      }),
  )

/** What the sender's disk says of these messages; each state once. */
function statesOf(file: string, attempts: Attempt[]): string[] {
  const db = new DatabaseSync(file, { readOnly: true })
  try {
    const { byId } = createReader(db)
    return [...new Set(attempts.map(({ id }) => byId(id as string)?.state ?? 'unknown'))]
  } finally {
    db.close()
  }
}
