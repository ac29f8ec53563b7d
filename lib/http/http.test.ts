import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { connect } from 'node:net'
import { PassThrough } from 'node:stream'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createLog } from '#lib/log.ts'
import { closable } from './close-server.ts'
import { checkPort, listen } from './listen.ts'
import { clientAddress, enterRequest } from './request-context.ts'

async function serve(server: Server): Promise<string> {
  await listen(server, 0, '127.0.0.1')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`
}

describe('enterRequest', () => {
  const out = new PassThrough()
  const log = createLog('debug', { write: (line) => out.write(line) })
  const server = () =>
    createServer((request, response) => {
      enterRequest(request, response, log)
      response.end(JSON.stringify(request.headers))
    })

  test('gives the request an id that the handler, the answer and the log share, and logs no query', async () => {
    const logged = once(out, 'data')
    const response = await fetch(`${await serve(server())}/sign-in/local?token=hunter2`)
    const id = response.headers.get('x-request-id')
    expect(id).toMatch(/^[0-9a-f-]{36}$/)
    expect(await response.json()).toMatchObject({ 'x-request-id': id, 'x-forwarded-for': '127.0.0.1' })
    const [line] = (await logged) as [Buffer]
    expect(JSON.parse(String(line))).toMatchObject({ requestId: id, path: '/sign-in/local', status: 200 })
    expect(String(line)).not.toContain('hunter2')
  })

  test.each([
    ['kept', 'proxy-id-12345', /^proxy-id-12345$/],
    ['replaced when it is no id', 'a b<script>', /^[0-9a-f-]{36}$/],
  ])('a given id is %s', async (_, given, expected) => {
    const response = await fetch(await serve(server()), { headers: { 'x-request-id': given } })
    expect(response.headers.get('x-request-id')).toMatch(expected)
  })
})

test.each([
  ['203.0.113.9', '198.51.100.1', '203.0.113.9', 'a stranger does not speak for others'],
  ['127.0.0.1', '198.51.100.1', '198.51.100.1', 'a proxy on this computer does'],
  ['::ffff:10.0.0.7', '6.6.6.6, 198.51.100.1', '198.51.100.1', 'only the address that the proxy added counts'],
  ['127.0.0.1', 'nonsense', '127.0.0.1', 'what is no address is nobody'],
  ['fd00::1', '2001:db8::5', '2001:db8::5', 'a proxy in a private IPv6 network does as well'],
])('from %s saying %s the client is %s: %s', (remoteAddress, forwarded, expected) => {
  const request = { socket: { remoteAddress }, headers: { 'x-forwarded-for': forwarded } }
  expect(clientAddress(request as unknown as IncomingMessage)).toBe(expected)
})

describe('closable', () => {
  test('lets an open request finish and ends silent connections at once', async () => {
    const arrived = Promise.withResolvers<void>()
    const finish = Promise.withResolvers<void>()
    const server = createServer(async (_, response) => {
      arrived.resolve()
      await finish.promise
      response.end('done')
    })
    const close = closable(server)
    const url = new URL(await serve(server))
    const silent = connect(Number(url.port), url.hostname)
    await once(silent, 'connect')
    const answer = fetch(url)
    await arrived.promise
    const closed = close()
    await once(silent.resume(), 'close')
    finish.resolve()
    expect(await (await answer).text()).toBe('done')
    await closed
    await expect(fetch(url)).rejects.toThrow()
  })
})

describe('checkPort', () => {
  test('finds a free port for 0', async () => {
    expect(await checkPort(0, '127.0.0.1')).toBeGreaterThan(0)
  })

  test('refuses a taken port and proposes the next', async () => {
    const port = Number(new URL(await serve(createServer())).port)
    await expect(checkPort(port, '127.0.0.1')).rejects.toThrow(`Port ${port} on 127.0.0.1 is taken`)
  })
})
