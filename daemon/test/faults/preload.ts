/**
 * Loaded before the programs of a scene (NODE_OPTIONS=--import): lets their clock run FAULT_PACE times as fast, ends them by
 * SIGKILL at the labelled point FAULT_POINT=label:nth, lets their dice fall at most as high as FAULT_LUCK, and lets none outlive
 * the test. Nothing of it is in what is shipped.
 */
import { subscribe } from 'node:diagnostics_channel'
import timers from 'node:timers'

const { FAULT_PACE = '1', FAULT_SINCE = '0', FAULT_LUCK = '1', FAULT_POINT, FAULT_OUTLIVES } = process.env

/** Timers, `Date` and `performance.now` together, from one moment for all processes and restarts: no clock ever goes back. */
function quicken(pace: number, sinceMs: number): void {
  const realNow = Date.now
  const now = () => sinceMs + Math.floor((realNow() - sinceMs) * pace)
  Date.now = now
  globalThis.Date = new Proxy(Date, {
    construct: (target, args, asked) => Reflect.construct(target, args.length === 0 ? [now()] : args, asked),
  })
  const monotonic = performance.now.bind(performance)
  performance.now = () => monotonic() * pace
  for (const name of ['setTimeout', 'setInterval'] as const) {
    const start = globalThis[name] as (act: () => void, ms?: number, ...rest: unknown[]) => NodeJS.Timeout
    const quick = (act: () => void, ms = 0, ...rest: unknown[]) => start(act, ms / pace, ...rest)
    Object.assign(quick, globalThis[name])
    // Engine.IO takes its timers from the module.
    for (const place of [globalThis, timers]) Object.assign(place, { [name]: quick })
  }
}

function killAt(label: string, nth: number): void {
  let left = nth
  subscribe('agent-relay.point', (name) => {
    if (name === label && --left === 0) process.kill(process.pid, 'SIGKILL')
  })
}

if (FAULT_PACE !== '1') quicken(Number(FAULT_PACE), Number(FAULT_SINCE))
if (FAULT_LUCK !== '1') {
  const random = Math.random
  Math.random = () => random() * Number(FAULT_LUCK)
}
if (FAULT_POINT !== undefined) {
  const [label = '', nth] = FAULT_POINT.split(':')
  killAt(label, Number(nth))
}
// A program that ends by itself when its parent is gone does so in its own order.
if (FAULT_OUTLIVES === undefined && process.connected) process.once('disconnect', () => process.exit(1))
