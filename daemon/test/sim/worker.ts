/** One worker: plays the seeds that it is given, and finds the shortest schedule of one that failed. */
import { parentPort } from 'node:worker_threads'
import type { Order, Report } from './crew.ts'
import { type Schedule, scheduleOf } from './schedule.ts'
import { shrink } from './shrink.ts'
import { play } from './world.ts'

function work(order: Order): Report {
  if (order.type === 'explain') return explain(order.seed)
  if (order.type === 'schedule') return { type: 'ended', failure: play(order.schedule).failure }
  let messages = 0
  let links = 0
  for (let seed = order.from; seed < order.from + order.count; seed++) {
    const outcome = play(scheduleOf(seed))
    messages += outcome.messages
    links += outcome.links
    if (outcome.failure !== undefined) return { type: 'failed', seed, messages, links, failure: outcome.failure }
  }
  return { type: 'passed', messages, links }
}

function explain(seed: number): Report {
  const whole = scheduleOf(seed)
  const rule = play(whole).failure?.rule
  const fails = (candidate: Schedule): boolean => play(candidate).failure?.rule === rule
  const schedule = rule === undefined ? whole : shrink(whole, fails)
  const diary: string[] = []
  const { failure } = play(schedule, (line) => diary.push(line))
  return { type: 'explained', schedule, diary, failure }
}

parentPort?.on('message', (order: Order) => parentPort?.postMessage(work(order)))
