import { scheduleOf } from './schedule.ts'
import { play } from './world.ts'

const n = Number(process.argv[2] ?? 200)
let events = 0,
  messages = 0,
  links = 0
const t = process.cpuUsage()
for (let seed = 0; seed < n; seed++) {
  const o = play(scheduleOf(seed))
  await new Promise((r) => setImmediate(r))
  events += o.events
  messages += o.messages
  links += o.links
  if (o.failure) console.log(seed, o.failure.text.slice(0, 200))
}
const u = process.cpuUsage(t)
console.log({ events: events / n, messages: messages / n, links: links / n, cpuMs: (u.user + u.system) / 1000 / n })
