/** A machine wakes up to thousands of messages. */
import { expect, test } from 'vitest'
import { builtCli } from './built-cli.ts'
import { verdict } from './oracle.ts'
import { limits, within } from './program.ts'
import { withScene } from './scene.ts'

const cli = builtCli()
const MESSAGES = 5_000
const SENDERS = ['Amy', 'Ben', 'Cleo', 'Dan', 'Eve']
/** From the start of its daemon to the last message with its agent, in real time. */
const DRAINED_MS = 30_000

test(
  '5,000 messages that waited for a machine are with its agent in order within 30 s of its waking',
  limits(0, DRAINED_MS),
  () =>
    withScene({ cli: cli(), cast: { alpha: SENDERS, beta: ['Bob'] } }, async (scene) => {
      const bob = scene.agent('Bob')
      await bob.machine.daemon.kill()
      const before = bob.handedOver.length
      const sent = SENDERS.flatMap((name) => {
        const sender = scene.agent(name)
        return Array.from({ length: MESSAGES / SENDERS.length }, () => sender.send(bob, 200))
      })
      const fates = (await Promise.all(sent)).map((attempt) => attempt?.fate)
      expect(new Set(fates)).toEqual(new Set(['queued']))
      await scene.untilMail(bob.machine)
      const wokenAt = performance.now()
      await bob.machine.start().ready
      const isThere = () => new Set(bob.handedOver.slice(before).map(({ id }) => id)).size >= MESSAGES
      await within(
        DRAINED_MS,
        scene.bell.until(() => bob.handedOver.length >= before + MESSAGES && isThere()),
        () => `${bob.handedOver.length - before} of ${MESSAGES}`,
      )
      console.log(`${MESSAGES} drained in ${Math.round(performance.now() - wokenAt)} ms`)
      expect(await verdict(scene)).toEqual([])
    }),
)
