import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { Reflection } from '@agent-relay/protocol'
import { expect, onTestFinished, test } from 'vitest'
import { createLog } from '#lib/log.ts'
import { serveReflection } from './reflection.ts'
import { enterRequest } from './request-context.ts'

/** Serves as server.ts does. */
async function serve(host = '127.0.0.1'): Promise<number> {
  const log = createLog('silent', { write: () => undefined })
  const server = createServer((request, response) => {
    enterRequest(request, response, log)
    serveReflection(request, response)
  })
  server.listen(0, host)
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** Asks from a port of its own; the body of the answer, and that port. */
async function ask(port: number, headers = '', method = 'GET') {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  const { localPort } = socket
  socket.write(`${method} /api/reflect HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${headers}\r\n`)
  let text = ''
  for await (const chunk of socket) text += chunk
  return { localPort, text, body: text.split('\r\n\r\n')[1] ?? '' }
}

test('tells address and port of the very connection, also when it listens on both families', async () => {
  for (const host of ['127.0.0.1', '::']) {
    const { localPort, body, text } = await ask(await serve(host))
    expect(Reflection.parse(JSON.parse(body))).toEqual({ address: '127.0.0.1', port: localPort })
    expect(text).toMatch(/cache-control: no-store/i)
  }
})

test.each([
  ['x-forwarded-for: 203.0.113.7\r\n', '203.0.113.7'],
  ['x-forwarded-for: 203.0.113.7, 198.51.100.2\r\n', '198.51.100.2'],
  ['x-forwarded-for: nonsense\r\n', '127.0.0.1'],
  ['forwarded: for=203.0.113.7\r\n', '127.0.0.1'],
])('behind a proxy (%j) there is no port to tell', async (headers, address) => {
  const { body } = await ask(await serve(), headers)
  expect(JSON.parse(body)).toEqual({ address, port: null })
})

test('a HEAD has no body', async () => {
  const { body, text } = await ask(await serve(), '', 'HEAD')
  expect(body).toBe('')
  expect(text).toMatch(/^HTTP\/1.1 200/)
})
