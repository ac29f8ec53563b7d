/**
 * Loaded before the programs of a scene (NODE_OPTIONS=--import): lets their clocks run FAULT_PACE times as fast, but for time-outs
 * below FAULT_PATIENCE_MS; lets their dice fall at most as high as FAULT_LUCK; ends them by SIGKILL at the labelled point
 * FAULT_POINT=label:nth; and lets none outlive the test. Nothing of it is in what is shipped. JavaScript, because reading types
 * out of this one file would cost each start 80 ms.
 */
import { subscribe } from 'node:diagnostics_channel'
import module from 'node:module'
import timers from 'node:timers'
import { setImmediate as turn } from 'node:timers/promises'
import v8 from 'node:v8'
import vm from 'node:vm'

const { FAULT_PACE, FAULT_PATIENCE_MS, FAULT_SINCE, FAULT_LUCK, FAULT_POINT, FAULT_OUTLIVES } = process.env
const pace = Number(FAULT_PACE ?? 1)
const sinceMs = Number(FAULT_SINCE ?? 0)
const patienceMs = Number(FAULT_PATIENCE_MS ?? 0)
const luck = Number(FAULT_LUCK ?? 1)

/** Timers, `Date` and `performance.now` together, from one moment for all processes and restarts: no clock ever goes back. */
function quicken() {
  const realNow = Date.now
  const now = () => sinceMs + Math.floor((realNow() - sinceMs) * pace)
  Date.now = now
  globalThis.Date = new Proxy(Date, {
    construct: (target, args, asked) => Reflect.construct(target, args.length === 0 ? [now()] : args, asked),
  })
  const monotonic = performance.now.bind(performance)
  performance.now = () => monotonic() * pace
  for (const name of ['setTimeout', 'setInterval']) {
    const start = globalThis[name]
    const keptMs = name === 'setTimeout' ? patienceMs : 0
    const quick = (act, ms = 0, ...rest) => start(act, ms < keptMs ? ms : ms / pace, ...rest)
    Object.assign(quick, start)
    // Engine.IO takes its timers from the module.
    for (const place of [globalThis, timers]) Object.assign(place, { [name]: quick })
  }
}

function killAt(label, nth) {
  let left = nth
  subscribe('agent-relay.point', (name) => {
    if (name === label && --left === 0) process.kill(process.pid, 'SIGKILL')
  })
}

/** Answers like lib/testing/stage-process.ts. */
function tellMemory() {
  v8.setFlagsFromString('--expose-gc')
  const collect = vm.runInNewContext('gc')
  process.on('message', async ({ id, ask }) => {
    if (ask !== 'memory') return
    const { rss: residentBytes } = process.memoryUsage()
    // Buffers go only with the second: their owners must be gone.
    for (let times = 0; times < 3; times++) {
      collect()
      await turn()
    }
    const { heapUsed, external } = process.memoryUsage()
    process.send({ id, value: { keptBytes: heapUsed + external, residentBytes } })
  })
}

/** Asked to cut, it resets every connection of these ports, its own and others', and takes none until it is asked to heal. */
function breakPeers() {
  const sockets = new Set()
  let ports = []
  const isMeant = ({ localPort, remotePort }) => ports.includes(localPort) || ports.includes(remotePort)
  const watch = ({ socket }) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    if (isMeant(socket)) socket.destroy()
  }
  subscribe('net.server.socket', watch)
  subscribe('net.client.socket', watch)
  process.on('message', ({ id, ask, input }) => {
    if (ask !== 'cut') return
    ports = input.ports
    for (const socket of sockets) if (isMeant(socket)) socket.destroy()
    if (!input.isLasting) ports = []
    process.send({ id, value: sockets.size })
  })
}

// What is killed would never write what it compiled.
setTimeout(() => module.flushCompileCache(), 500).unref()
if (pace !== 1) quicken()
if (luck !== 1) {
  const random = Math.random
  Math.random = () => random() * luck
}
if (FAULT_POINT !== undefined) {
  const [label, nth] = FAULT_POINT.split(':')
  killAt(label, Number(nth))
}
// A program that ends in its own order when its parent is gone is left to it.
if (FAULT_OUTLIVES === undefined && process.connected) {
  tellMemory()
  breakPeers()
  process.once('disconnect', () => process.exit(1))
}
