/** A TCP proxy of ours between one machine and the control plane, with the weather of real networks. */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises'
import { makeBell } from './bell.ts'

export type Weather = {
  /** One way, and up to `jitterMs` more; order is kept, as TCP keeps it. */
  latencyMs?: number
  jitterMs?: number
  /** Towards the machine only, as the slow half of a home line. */
  bytesPerSecond?: number
  /** Every write carries this many bytes. */
  sliceBytes?: number
}

/** Which WebSocket frames pass: everything, or nothing but engine pings and pongs in one direction. */
export type Deafness = 'none' | 'machine' | 'plane'

export type TcpProxy = {
  readonly port: number
  /** How many connections were taken so far. */
  readonly taken: number
  weather: Weather
  deaf: Deafness
  /** Refuses and resets everything until heal(). */
  cut(): void
  /** Takes connections and bytes and passes nothing on, without a word, until heal(). */
  blackhole(): void
  /** Ends blackhole() and cut(). What was swallowed stays swallowed: those connections are reset. */
  heal(): void
  /** Resets the connections of this moment in the middle of whatever they do. */
  reset(): void
  /** Says to the machine that nothing more comes, and goes on reading what it sends. */
  halfClose(): void
  close(): Promise<void>
}

const BUFFER_BYTES = 64 * 1024

type Pair = { machine: Socket; plane: Socket | undefined; isHalfClosed: boolean }

/** `upstream` is asked for the port at each connection: a restarted control plane may have another. */
export async function startProxy(upstream: () => number): Promise<TcpProxy> {
  const pairs = new Set<Pair>()
  let isBlack = false
  let isCut = false
  let taken = 0
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (machine) => {
    taken++
    machine.on('error', () => machine.destroy())
    if (isCut) return void machine.resetAndDestroy()
    const pair: Pair = { machine, plane: undefined, isHalfClosed: false }
    pairs.add(pair)
    machine.once('close', () => {
      pairs.delete(pair)
      pair.plane?.destroy()
    })
    if (isBlack) return
    const plane = connect({ port: upstream(), host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    pair.plane = plane
    plane.on('error', () => plane.destroy())
    plane.once('close', () => machine.destroy())
    void pump(machine, plane, { isDown: false, pair })
    void pump(plane, machine, { isDown: true, pair })
  })

  const proxy: TcpProxy = {
    port: 0,
    get taken() {
      return taken
    },
    weather: {},
    deaf: 'none',
    cut() {
      isCut = true
      proxy.reset()
    },
    blackhole() {
      isBlack = true
    },
    heal() {
      if (isBlack) proxy.reset()
      isBlack = false
      isCut = false
    },
    reset() {
      for (const { machine, plane } of pairs) {
        plane?.resetAndDestroy()
        machine.resetAndDestroy()
      }
    },
    halfClose() {
      for (const pair of pairs) {
        pair.isHalfClosed = true
        pair.machine.end()
      }
    },
    async close() {
      isCut = true
      proxy.reset()
      server.close()
      await once(server, 'close')
    },
  }

  async function pump(from: Socket, to: Socket, { isDown, pair }: { isDown: boolean; pair: Pair }): Promise<void> {
    const frames = websocketFrames()
    const waiting: { bytes: Buffer; dueAt: number }[] = []
    let waitingBytes = 0
    let isEnded = false
    const bell = makeBell()
    to.once('close', () => bell.ring())
    const read = async () => {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        const { latencyMs = 0, jitterMs = 0 } = proxy.weather
        const bytes = frames(chunk, proxy.deaf === (isDown ? 'machine' : 'plane'))
        waiting.push({ bytes, dueAt: performance.now() + latencyMs + Math.random() * jitterMs })
        waitingBytes += bytes.length
        bell.ring()
        await bell.until(() => waitingBytes < BUFFER_BYTES || to.destroyed)
      }
    }
    const end = () => {
      isEnded = true
      bell.ring()
    }
    read().then(end, end)
    for (;;) {
      await bell.until(() => waiting.length > 0 || isEnded || to.destroyed)
      const next = waiting.shift()
      if (next === undefined || to.destroyed) break
      const restMs = next.dueAt - performance.now()
      if (restMs > 0) await delay(restMs)
      if (!isBlack && !(isDown && pair.isHalfClosed)) await write(to, next.bytes, isDown)
      waitingBytes -= next.bytes.length
      bell.ring()
    }
    if (!to.destroyed && !isBlack) to.end()
  }

  async function write(to: Socket, bytes: Buffer, isDown: boolean): Promise<void> {
    const { bytesPerSecond, sliceBytes } = proxy.weather
    const isSlow = isDown && bytesPerSecond !== undefined
    const size = sliceBytes ?? (isSlow ? Math.max(1, Math.floor(bytesPerSecond / 10)) : bytes.length)
    for (let at = 0; at < bytes.length && !to.destroyed; at += size) {
      const part = bytes.subarray(at, at + size)
      if (!to.write(part)) await Promise.race([once(to, 'drain'), once(to, 'close')]).catch(() => undefined)
      if (isSlow) await delay((1000 * part.length) / bytesPerSecond)
      else if (sliceBytes !== undefined) await turn()
    }
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return Object.assign(proxy, { port: (server.address() as { port: number }).port })
}

/**
 * Follows one direction of an upgraded connection from its first byte. Gives back what passes: all of it, or, when `isDeaf`,
 * only Engine.IO's `2` and `3`, its ping and pong.
 */
function websocketFrames(): (chunk: Buffer, isDeaf: boolean) => Buffer {
  let isUpgraded = false
  let rest: Buffer = Buffer.alloc(0)
  return (chunk, isDeaf) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const passed: Buffer[] = []
    if (!isUpgraded) {
      const end = rest.indexOf('\r\n\r\n')
      if (end < 0) return Buffer.alloc(0)
      passed.push(rest.subarray(0, end + 4))
      rest = rest.subarray(end + 4)
      isUpgraded = true
    }
    for (let frame = frameAt(rest); frame !== undefined; frame = frameAt(rest)) {
      const bytes = rest.subarray(0, frame.sizeBytes)
      if (!isDeaf || frame.isHeartbeat) passed.push(bytes)
      rest = rest.subarray(frame.sizeBytes)
    }
    return passed.length === 1 ? (passed[0] as Buffer) : Buffer.concat(passed)
  }
}

/** RFC 6455, 5.2. */
function frameAt(bytes: Buffer): { sizeBytes: number; isHeartbeat: boolean } | undefined {
  if (bytes.length < 2) return undefined
  const [head = 0, second = 0] = bytes
  const isMasked = (second & 0x80) !== 0
  let length = second & 0x7f
  let at = 2
  if (length === 126) {
    if (bytes.length < 4) return undefined
    length = bytes.readUInt16BE(2)
    at = 4
  } else if (length === 127) {
    if (bytes.length < 10) return undefined
    length = Number(bytes.readBigUInt64BE(2))
    at = 10
  }
  const mask = isMasked ? bytes.subarray(at, at + 4) : undefined
  if (isMasked) at += 4
  if (bytes.length < at + length) return undefined
  const first = length === 1 ? (bytes[at] as number) ^ (mask?.[0] ?? 0) : 0
  const isPingOrPong = (head & 0x0f) === 1 && (first === 0x32 || first === 0x33)
  // Control frames of WebSocket itself (close, ping, pong) pass too: they are not the application's.
  return { sizeBytes: at + length, isHeartbeat: isPingOrPong || (head & 0x08) !== 0 }
}
