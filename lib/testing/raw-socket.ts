/** A WebSocket to the gateway below every library: whatever bytes a test wants, and the texts that come back. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { SOCKET_PATH } from '@agent-relay/protocol'

export type RawSocket = {
  tcp: Socket
  /** A whole text message in one masked frame. */
  text(text: string): void
  /** One frame of any opcode and payload; `isFinal: false` begins or continues a message in pieces. */
  frame(opcode: number, payload: Uint8Array, options?: { isFinal?: boolean; isMasked?: boolean }): void
  /** Texts that came and were not taken yet. */
  texts: string[]
  /** The first text, taken, for which this holds; undefined when the server has ended the connection. */
  take(isWanted: (text: string) => boolean): Promise<string | undefined>
  /** Resolves when the server has ended the connection. */
  closed: Promise<void>
}

/** Opens one, up to the answer to its upgrade, which is 101 unless `query` or `headers` make it something else. */
export async function openRaw(
  url: string,
  { query = 'EIO=4&transport=websocket', headers = {} }: { query?: string; headers?: Record<string, string> } = {},
): Promise<RawSocket & { status: number }> {
  const { hostname, port } = new URL(url)
  const tcp = connect(Number(port), hostname)
  await once(tcp, 'connect')
  const texts: string[] = []
  const waiting = new Set<() => void>()
  const wake = (): void => {
    for (const one of [...waiting]) one()
  }
  let isClosed = false
  const closed = new Promise<void>((resolve) => {
    const end = (): void => {
      isClosed = true
      tcp.destroy()
      resolve()
      wake()
    }
    tcp.on('end', end).on('close', end).on('error', end)
  })
  const change = () =>
    new Promise<void>((resolve) => {
      const one = (): void => {
        waiting.delete(one)
        resolve()
      }
      waiting.add(one)
    })

  const frame: RawSocket['frame'] = (opcode, payload, { isFinal = true, isMasked = true } = {}) => {
    const mask = isMasked ? randomBytes(4) : Buffer.alloc(0)
    const body = Buffer.from(payload)
    if (isMasked) for (let n = 0; n < body.length; n++) body[n] = (body[n] as number) ^ (mask[n % 4] as number)
    tcp.write(Buffer.concat([header(opcode, body.length, { isFinal, isMasked }), mask, body]))
  }
  let pending: Buffer = Buffer.alloc(0)
  let status = 0
  tcp.on('data', (data) => {
    pending = Buffer.concat([pending, data])
    if (status === 0) {
      const end = pending.indexOf('\r\n\r\n')
      if (end < 0) return
      status = Number(pending.toString('latin1', 9, 12))
      pending = pending.subarray(end + 4)
    }
    for (let read = readFrame(pending); read !== undefined; read = readFrame(pending)) {
      pending = pending.subarray(read.sizeBytes)
      const text = read.opcode === 1 ? read.payload.toString() : undefined
      // The engine's ping, and its answer.
      if (text === '2') frame(1, Buffer.from('3'))
      else if (text !== undefined) texts.push(text)
      // The server closes and waits for the same from us: as good as closed.
      if (read.opcode === 8) tcp.destroy()
    }
    wake()
  })

  const lines = [
    `GET ${SOCKET_PATH}/?${query} HTTP/1.1`,
    `host: ${hostname}:${port}`,
    'upgrade: websocket',
    'connection: Upgrade',
    'sec-websocket-version: 13',
    `sec-websocket-key: ${randomBytes(16).toString('base64')}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ]
  tcp.write(`${lines.join('\r\n')}\r\n\r\n`)
  while (status === 0 && !isClosed) await change()

  return {
    ...{ tcp, status, texts, closed, frame },
    text: (text) => frame(1, Buffer.from(text)),
    async take(isWanted) {
      for (;;) {
        const at = texts.findIndex(isWanted)
        if (at >= 0) return texts.splice(at, 1)[0]
        if (isClosed) return undefined
        await change()
      }
    },
  }
}

function header(
  opcode: number,
  sizeBytes: number,
  { isFinal, isMasked }: { isFinal: boolean; isMasked: boolean },
): Buffer {
  const first = (isFinal ? 0x80 : 0) | opcode
  const flag = isMasked ? 0x80 : 0
  if (sizeBytes < 126) return Buffer.from([first, flag | sizeBytes])
  const head = Buffer.alloc(sizeBytes < 65_536 ? 4 : 10)
  head[0] = first
  head[1] = flag | (sizeBytes < 65_536 ? 126 : 127)
  if (sizeBytes < 65_536) head.writeUInt16BE(sizeBytes, 2)
  else head.writeBigUInt64BE(BigInt(sizeBytes), 2)
  return head
}

/** A whole frame at the beginning of what came; a server does not mask. */
function readFrame(data: Buffer): { opcode: number; payload: Buffer; sizeBytes: number } | undefined {
  if (data.length < 2) return undefined
  const short = (data[1] as number) & 0x7f
  const start = short === 126 ? 4 : short === 127 ? 10 : 2
  if (data.length < start) return undefined
  const length = short === 126 ? data.readUInt16BE(2) : short === 127 ? Number(data.readBigUInt64BE(2)) : short
  if (data.length < start + length) return undefined
  return {
    opcode: (data[0] as number) & 0x0f,
    payload: data.subarray(start, start + length),
    sizeBytes: start + length,
  }
}
