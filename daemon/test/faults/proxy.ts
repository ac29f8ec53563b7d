/** A proxy of ours on the way between two programs, with the weather of real networks. */
import { once } from 'node:events'
import { connect, createServer, type NetConnectOpts, type Socket } from 'node:net'
import { pump, type Weather } from './pump.ts'
import { websocketFrames } from './websocket-frames.ts'

export type NetworkProxy = {
  readonly port: number
  /** How many connections were taken so far. */
  readonly taken: number
  weather: Weather
  /** To whom nothing but engine pings and pongs comes through: its application hears no word, and its engine is content. */
  deaf: 'nobody' | 'machine' | 'plane'
  /** Resets everything and refuses what comes, until heal(). */
  cut(): void
  /** Takes connections and bytes and passes nothing on, without a word, until heal(). */
  blackhole(): void
  /** Ends cut() and blackhole(). What was swallowed stays swallowed, so those connections are reset. */
  heal(): void
  /** Resets the connections of this moment, in the middle of whatever they do. */
  reset(): void
  /** Tells the machine that nothing more comes, and goes on taking what it sends. */
  halfClose(): void
  close(): Promise<void>
}

type Pair = { machine: Socket; plane: Socket | undefined; isHalfClosed: boolean }

type Options = {
  upstream: NetConnectOpts
  /** A path for a socket of this computer; without it a free port. */
  path?: string
}

export async function startProxy({ upstream, path }: Options): Promise<NetworkProxy> {
  const pairs = new Set<Pair>()
  let isBlack = false
  let isCut = false
  let taken = 0
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (machine) => {
    taken++
    machine.on('error', () => machine.destroy())
    if (isCut) machine.resetAndDestroy()
    else accept(machine)
  })

  function accept(machine: Socket): void {
    const pair: Pair = { machine, plane: undefined, isHalfClosed: false }
    pairs.add(pair)
    machine.once('close', () => {
      pairs.delete(pair)
      pair.plane?.destroy()
    })
    if (isBlack) return
    const plane = connect({ ...upstream, allowHalfOpen: true, noDelay: true } as NetConnectOpts)
    pair.plane = plane
    plane.on('error', () => plane.destroy())
    plane.once('close', () => machine.destroy())
    void pump(machine, plane, {
      filter: filterFor('plane'),
      weather: () => ({ ...proxy.weather, bytesPerSecond: undefined }),
      isSwallowed: () => isBlack,
    })
    void pump(plane, machine, {
      filter: filterFor('machine'),
      weather: () => proxy.weather,
      isSwallowed: () => isBlack || pair.isHalfClosed,
    })
  }

  function filterFor(hearer: 'machine' | 'plane'): (chunk: Buffer) => Buffer {
    if (path !== undefined) return (chunk) => chunk
    const frames = websocketFrames()
    return (chunk) => frames(chunk, proxy.deaf === hearer)
  }

  const proxy: NetworkProxy = {
    get port() {
      return (server.address() as { port: number }).port
    },
    get taken() {
      return taken
    },
    weather: {},
    deaf: 'nobody',
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
      for (const { machine, plane } of pairs) for (const socket of [machine, plane]) end(socket)
    },
    halfClose() {
      for (const pair of pairs) {
        pair.isHalfClosed = true
        pair.machine.end()
      }
    },
    async close() {
      proxy.cut()
      server.close()
      await once(server, 'close')
    },
  }
  server.listen(path ?? { port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  return proxy
}

function end(socket: Socket | undefined): void {
  // Only TCP knows a reset.
  if (socket?.remoteAddress === undefined) socket?.destroy()
  else socket.resetAndDestroy()
}
