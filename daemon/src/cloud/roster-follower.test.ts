/** When the roster that is held is confirmed, and when it is asked for. */
import type { Roster, RosterDelta } from '@agent-relay/protocol'
import { beforeEach, expect, test } from 'vitest'
import { delta, roster } from '../../test/support/test-plane.ts'
import { rosterFollower } from './roster-follower.ts'

let now = 0
let timers: { at: number; act: () => void }[] = []
const clock = {
  now: () => now,
  after(ms: number, act: () => void) {
    const timer = { at: now + ms, act }
    timers.push(timer)
    return () => {
      timers = timers.filter((one) => one !== timer)
    }
  },
}
function pass(ms: number): void {
  now += ms
  for (const timer of timers.filter(({ at }) => at <= now)) {
    timers = timers.filter((one) => one !== timer)
    timer.act()
  }
}

let log: string[]
let answer: (value: unknown) => void
let follower: ReturnType<typeof rosterFollower>
beforeEach(() => {
  now = 1e6
  timers = []
  log = []
  follower = rosterFollower({
    clock,
    fetch: () =>
      new Promise((resolve) => {
        log.push('fetch')
        answer = resolve
      }),
    readRoster: (value) => value as Roster,
    readDelta: (frame) => frame as RosterDelta,
    onDelta: ({ version }) => log.push(`delta ${version}`),
    onRoster: ({ version }) => log.push(`roster ${version}`),
    onFresh: (at) => log.push(`fresh ${at}`),
    onBroken: (error) => log.push(`broken ${error}`),
  })
  follower.reset(5)
})
const answered = async (version: number): Promise<void> => {
  answer(roster(version))
  await new Promise(setImmediate)
}

test('the version that is held, or one before it, confirms at once', () => {
  follower.confirm({ version: 5, at: 1 })
  follower.confirm({ version: 4, at: 2 })
  pass(10_000)
  expect(log).toEqual(['fresh 1', 'fresh 2'])
})

test('a newer version waits for the change that is under way, and nothing is fetched', () => {
  follower.confirm({ version: 7, at: 1 })
  follower.push(delta(5, 6))
  pass(900)
  follower.push(delta(6, 7))
  pass(10_000)
  expect(log).toEqual(['delta 6', 'delta 7', 'fresh 1'])
})

test('when the change does not come, the whole roster is asked for, once, and confirmed by what was said last', async () => {
  follower.confirm({ version: 7, at: 1 })
  pass(1_000)
  follower.confirm({ version: 7, at: 2 })
  pass(1_000)
  expect(log).toEqual(['fetch'])
  await answered(7)
  expect(log).toEqual(['fetch', 'roster 7', 'fresh 2'])
})

test('an answer that is still too old confirms nothing, and it is asked again with the next heartbeat', async () => {
  follower.confirm({ version: 7, at: 1 })
  pass(1_000)
  await answered(6)
  expect(log).toEqual(['fetch', 'roster 6'])
  follower.confirm({ version: 7, at: 2 })
  pass(1_000)
  await answered(7)
  expect(log.slice(2)).toEqual(['fetch', 'roster 7', 'fresh 2'])
})

test('nothing of one connection is done on the next', async () => {
  follower.confirm({ version: 7, at: 1 })
  follower.reset(undefined)
  pass(5_000)
  follower.confirm({ version: 7, at: 1 })
  follower.hearsay(9)
  expect(log).toEqual([])
})

test('what another machine says is asked about once in ten seconds, however often and whatever it says', async () => {
  follower.hearsay(5)
  expect(log).toEqual([])
  for (let version = 6; version < 100; version++) follower.hearsay(version)
  await answered(5)
  follower.hearsay(1e9)
  expect(log).toEqual(['fetch', 'roster 5'])
  pass(10_000)
  follower.hearsay(1e9)
  expect(log).toEqual(['fetch', 'roster 5', 'fetch'])
})

test('what cannot be read ends it', () => {
  const broken = rosterFollower({
    clock,
    fetch: () => Promise.reject(new Error('no answer')),
    readRoster: (value) => value as Roster,
    readDelta() {
      throw new Error('not ours')
    },
    onDelta: () => log.push('delta'),
    onRoster: () => log.push('roster'),
    onFresh: () => log.push('fresh'),
    onBroken: (error) => log.push(String(error)),
  })
  broken.reset(1)
  broken.push({})
  expect(log).toEqual(['Error: not ours'])
})
