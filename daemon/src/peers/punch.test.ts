import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { afterEach, expect, test } from 'vitest'
import { createReflector, type Reflector } from './punch.ts'

const open: (Server | Reflector)[] = []
afterEach(() => {
  for (const one of open.splice(0)) {
    if ('stop' in one) one.stop()
    else {
      one.closeAllConnections()
      one.close()
    }
  }
})

/** A control plane that says what it sees, or what it is told to say. */
async function plane(answer?: string, status = 200) {
  const seen: { port: number | undefined; socket: unknown }[] = []
  const server = createServer((request, response) => {
    const { remoteAddress: address, remotePort: port } = request.socket
    seen.push({ port, socket: request.socket })
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(answer ?? JSON.stringify({ address, port }))
  }).listen(0, '127.0.0.1')
  open.push(server)
  await once(server, 'listening')
  const reflector = createReflector(`http://127.0.0.1:${(server.address() as { port: number }).port}`)
  open.push(reflector)
  return { server, seen, reflector }
}

test('it learns its own port as it is seen, keeps the connection, and keeps the port over a new one', async () => {
  const { server, seen, reflector } = await plane()
  expect(reflector.localPort()).toBeUndefined()
  const first = await reflector.learn()
  expect(first).toMatchObject({ candidate: { kind: 'punched', host: '127.0.0.1' }, localHost: '127.0.0.1' })
  expect(first?.candidate.port).toBe(first?.localPort)
  expect(reflector.localPort()).toBe(first?.localPort)
  expect(await reflector.learn()).toEqual(first)
  expect(seen[1]?.socket).toBe(seen[0]?.socket)
  // The control plane closes what is idle: the next question comes from the same port.
  server.closeAllConnections()
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect((await reflector.learn())?.localPort).toBe(first?.localPort)
  expect(seen[2]?.socket).not.toBe(seen[0]?.socket)
})

test('another network, another port', async () => {
  const { reflector } = await plane()
  const first = await reflector.learn()
  reflector.forget()
  expect(reflector.localPort()).toBeUndefined()
  expect((await reflector.learn())?.localPort).not.toBe(first?.localPort)
})

test.each([
  ['a proxy hides the port', JSON.stringify({ address: '203.0.113.9', port: null }), 200],
  ['an older control plane', 'Not found', 404],
  ['nonsense', '{"address": 5}', 200],
  ['no JSON', '<html>', 200],
  ['an endless answer', JSON.stringify({ address: 'x'.repeat(10_000), port: 1 }), 200],
])('%s: nothing is learned', async (_, answer, status) => {
  const { reflector } = await plane(answer, status)
  expect(await reflector.learn()).toBe(null)
})

test('nobody there: nothing is learned', async () => {
  const { server, reflector } = await plane()
  server.close()
  await once(server, 'close')
  expect(await reflector.learn()).toBe(null)
})
