import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, expect, test } from 'vitest'
import { createPortMapper, type PortMapper } from './port-mapper.ts'

const open: (Socket | PortMapper)[] = []
afterEach(async () => {
  for (const one of open.splice(0)) {
    if ('stop' in one) await one.stop()
    else one.close()
  }
})

type Request = { port: number; leaseSeconds: number }

/** A router on this computer that speaks NAT-PMP (RFC 6886) and has `external` as its own address. */
async function router(external: number[], result = 0): Promise<Request[]> {
  const requests: Request[] = []
  const socket = createSocket('udp4')
  open.push(socket)
  socket.on('message', (asked, { port, address }) => {
    const operation = asked.readUInt8(1)
    const answer = Buffer.alloc(operation === 0 ? 12 : 16)
    answer.writeUInt8(128 + operation, 1)
    answer.writeUInt16BE(result, 2)
    if (operation === 0) answer.set(external, 8)
    else {
      requests.push({ port: asked.readUInt16BE(4), leaseSeconds: asked.readUInt32BE(8) })
      answer.writeUInt16BE(asked.readUInt16BE(4), 8)
      answer.writeUInt16BE(5_200, 10)
    }
    socket.send(answer, port, address)
  })
  socket.bind(5_351, '127.0.0.1')
  await once(socket, 'listening')
  return requests
}

function mapper(isOff = false): { mapper: PortMapper; changes: () => number } {
  let changes = 0
  const made = createPortMapper({
    isOff,
    changed: () => void changes++,
    debug: () => undefined,
    gatewayOf: () => '127.0.0.1',
  })
  open.push(made)
  return { mapper: made, changes: () => changes }
}

test('a router that opens ports opens one for an hour, and gets it back when the daemon stops', async () => {
  const requests = await router([203, 0, 113, 9])
  const { mapper: made, changes } = mapper()
  expect(await made.map(4_100, '192.168.1.5')).toMatchObject({
    state: 'mapped',
    external: { host: '203.0.113.9', port: 5_200 },
  })
  expect(changes()).toBe(1)
  expect(requests).toEqual([{ port: 4_100, leaseSeconds: 3_600 }])
  // Renewed: the same port again, and nothing new to tell.
  await made.map(4_100, '192.168.1.5')
  expect(requests.length).toBe(2)
  expect(changes()).toBe(1)
  await made.stop()
  expect(requests.at(-1)).toEqual({ port: 4_100, leaseSeconds: 0 })
})

test('a router that refuses, or is none, is no trouble', { timeout: 20_000 }, async () => {
  await router([203, 0, 113, 9], 2)
  const { mapper: made } = mapper()
  expect(await made.map(4_100, '192.168.1.5')).toMatchObject({ state: 'none', external: null })
})

test('turned off, and without a private address, nobody is asked', async () => {
  const requests = await router([203, 0, 113, 9])
  expect(await mapper(true).mapper.map(4_100, '192.168.1.5')).toMatchObject({ state: 'off' })
  expect(await mapper().mapper.map(4_100, null)).toMatchObject({ state: 'none' })
  expect(requests).toEqual([])
})
