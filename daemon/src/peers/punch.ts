/**
 * How a port of this machine looks from outside: the control plane says from where it sees a connection, and that connection
 * stays open, so that the router keeps its entry while another machine is met from the same port.
 */
import { Agent as HttpAgent, request as overHttp } from 'node:http'
import { Agent as HttpsAgent, request as overHttps } from 'node:https'
import type { Socket } from 'node:net'
import { type Candidate, Reflection } from '@agent-relay/protocol'

const ANSWER_MS = 4_000
const REFLECT_PATH = '/api/reflect'
/** Far more than a Reflection has. */
const MAX_BYTES = 4_096

export type Reflector = {
  /** Null when the control plane is away, too old, or behind a proxy that hides the port. Never rejects. */
  learn(): Promise<{ candidate: Candidate; localPort: number; localHost: string } | null>
  /** The shared port; undefined before anything was learned. */
  localPort(): number | undefined
  /** This machine is in another network: another port is as good. */
  forget(): void
  stop(): void
}

/** `url` is the control plane's origin. */
export function createReflector(url: string): Reflector {
  const target = new URL(REFLECT_PATH, url)
  const isSecure = target.protocol === 'https:'
  const newAgent = () => new (isSecure ? HttpsAgent : HttpAgent)({ keepAlive: true, maxSockets: 1 })
  let agent = newAgent()
  let localPort: number | undefined

  /** IPv4, where nearly all routers are; a shared port has to be of one family. */
  function ask(fromPort: number | undefined): Promise<{ text: string; socket: Socket }> {
    return new Promise((resolve, reject) => {
      const request = (isSecure ? overHttps : overHttp)(target, {
        agent,
        family: 4,
        ...(fromPort !== undefined && { localPort: fromPort }),
        headers: { accept: 'application/json' },
        signal: AbortSignal.timeout(ANSWER_MS),
      })
      request.on('error', reject)
      request.on('socket', (socket) => socket.unref())
      request.on('response', (response) => {
        const { socket } = response
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (part: string) => {
          text += part
          if (text.length <= MAX_BYTES) return
          reject(new Error('an answer that is too long'))
          // Without an error: the socket would throw it where nobody listens any more.
          request.destroy()
        })
        response.on('error', reject)
        response.on('end', () => {
          if (response.statusCode === 200) resolve({ text, socket })
          else reject(new Error(`status ${response.statusCode}`))
        })
      })
      request.end()
    })
  }

  return {
    localPort: () => localPort,
    async learn() {
      try {
        // The port may be taken by what is left of an earlier connection to the same place: then another one is as good.
        const { text, socket } = await ask(localPort).catch((error) => {
          if (localPort === undefined) throw error
          return ask(undefined)
        })
        const { address, port } = Reflection.parse(JSON.parse(text))
        const { localPort: own, localAddress } = socket
        if (address === null || port === null || own === undefined || localAddress === undefined) return null
        localPort = own
        return { candidate: { kind: 'punched', host: address, port }, localPort: own, localHost: localAddress }
      } catch {
        return null
      }
    },
    forget() {
      agent.destroy()
      agent = newAgent()
      localPort = undefined
    },
    stop: () => agent.destroy(),
  }
}
