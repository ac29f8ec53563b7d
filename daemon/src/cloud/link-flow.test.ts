import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { httpProofText, PROOF_HEADER, readHttpProof } from '@agent-relay/protocol'
import { isSigned, newKeyPair, privateKeyOf, signText } from '@agent-relay/protocol/crypto'
import { afterEach, describe, expect, test } from 'vitest'
import type { RelayError } from '../errors.ts'
import { awaitApproval, registerWithKey, startLink, unlinkRemote } from './link-flow.ts'
import { controlOrigin } from './url.ts'

type Answer = { status?: number; body: unknown } | 'hang up'
const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
})

/** An HTTP server that gives these answers in turn, the last one for ever, and remembers what it was asked. */
async function serve(...answers: Answer[]) {
  const asked: { path: string; headers: IncomingMessage['headers']; body: string }[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const part of request) body += part
    asked.push({ path: `${request.method} ${request.url}`, headers: request.headers, body })
    const answer = answers.length > 1 ? answers.shift() : answers[0]
    if (answer === undefined || answer === 'hang up') return void request.socket.destroy()
    const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body)
    response.writeHead(answer.status ?? 200, { 'content-type': 'application/json' }).end(text)
  }).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

const pair = newKeyPair('Ed25519')
const identity = {
  publicKey: pair.publicKey,
  sign: (text: string) => signText(privateKeyOf('Ed25519', pair), text),
}
const facts = { machineName: 'alice-mbp', platform: 'linux', version: '0.1.0', publicKey: 'A'.repeat(43) }
const start = {
  device_code: 'device',
  user_code: 'BCDF-GHJK',
  verification_uri: 'http://localhost/link',
  verification_uri_complete: 'http://localhost/link?code=BCDF-GHJK',
  expires_in: 600,
  interval: 5,
}
const linked = {
  api_key: 'ar_live_x',
  machine: { id: 'm1', name: 'alice-mbp' },
  org: { id: 'o1', slug: 'acme', name: 'Acme' },
  person: 'alice',
}
const pending = { status: 400, body: { error: 'authorization_pending', error_description: 'Nobody yet.' } }
const failure = (code: string, message: string, status = 401) => ({
  status,
  body: { error: { code, message, requestId: 'r1' } },
})

/** Time that passes only by sleeping, and how long each sleep was. */
function clock() {
  let now = 0
  const sleeps: number[] = []
  const sleep = async (ms: number) => {
    sleeps.push(ms)
    now += ms
  }
  return { sleep, now: () => now, sleeps }
}

describe('waiting for approval', () => {
  test('polls at the interval, slower when told, through an outage, until it is linked', async () => {
    const slow = { status: 400, body: { error: 'slow_down', error_description: 'Slower.' } }
    const { url, asked } = await serve(pending, slow, 'hang up', 'hang up', pending, { body: linked })
    const time = clock()
    const trouble: RelayError[] = []
    const result = await awaitApproval(url, start, { ...time, onTrouble: (error) => trouble.push(error) })
    expect(result).toEqual(linked)
    expect(time.sleeps).toEqual([5000, 5000, 10_000, 10_000, 10_000, 10_000])
    expect(trouble.map((error) => error.code)).toEqual(['UNAVAILABLE'])
    expect(asked.map(({ path }) => path)).toEqual(new Array(6).fill('POST /api/link/poll'))
    expect(JSON.parse(asked[0]?.body ?? '')).toEqual({ device_code: 'device' })
  })

  test('a denial, an end and a silence each have their sentence and next step', async () => {
    const denied = { status: 400, body: { error: 'access_denied', error_description: 'The request was denied.' } }
    const ended = { status: 400, body: { error: 'expired_token', error_description: 'x' } }
    await expect(awaitApproval((await serve(denied)).url, start, clock())).rejects.toThrow(
      'The request was denied. To ask again, run: agent-relay link',
    )
    await expect(awaitApproval((await serve(ended)).url, start, clock())).rejects.toMatchObject({ code: 'EXPIRED' })
    const silence = await serve(pending)
    await expect(awaitApproval(silence.url, start, clock())).rejects.toThrow(/Nobody approved.*agent-relay link$/)
    expect(silence.asked).toHaveLength(119)
  })

  test('an interrupt ends it at once', async () => {
    const { url } = await serve('hang up')
    const stop = new AbortController()
    const reason = new Error('stopped')
    const waiting = { ...clock(), signal: stop.signal, onTrouble: () => stop.abort(reason) }
    await expect(awaitApproval(url, start, waiting)).rejects.toBe(reason)
  })
})

describe('a key', () => {
  test('goes in a header only, and what the server says of it is what the person reads', async () => {
    const { url, asked } = await serve(failure('KEY_REVOKED', 'The machine key ar_live_ab… was revoked.'))
    await expect(registerWithKey(url, { key: 'ar_live_secret', identity }, facts)).rejects.toMatchObject({
      code: 'KEY_REVOKED',
      message: 'The machine key ar_live_ab… was revoked.',
    })
    expect(asked[0]?.headers.authorization).toBe('Bearer ar_live_secret')
    expect(asked[0]?.path + (asked[0]?.body ?? '')).not.toContain('secret')
  })

  test('that is dead already counts as given back, any other failure does not', async () => {
    const own = { key: 'k', machineId: 'm1', identity }
    await unlinkRemote((await serve(failure('KEY_REVOKED', 'Dead.'))).url, own)
    await unlinkRemote((await serve({ body: { done: true } })).url, own)
    await expect(unlinkRemote((await serve(failure('INTERNAL', 'No.', 500))).url, own)).rejects.toThrow('No.')
  })

  test('is proved with every call, once more by the control plane’s time when this clock is wrong, and not a third time', async () => {
    const late = {
      status: 401,
      body: { error: { code: 'UNAUTHENTICATED', message: 'Late.', requestId: 'r1', details: { now: 5 } } },
    }
    const { url, asked } = await serve(late, { body: { done: true } })
    await unlinkRemote(url, { key: 'k', machineId: 'm1', identity })
    const proofs = asked.map(({ headers }) => readHttpProof(String(headers[PROOF_HEADER])))
    expect(proofs).toHaveLength(2)
    expect(proofs[1]?.at).toBe(5)
    expect(proofs[1]?.nonce).not.toBe(proofs[0]?.nonce)
    const bodyHash = createHash('sha256').digest('base64url')
    for (const proof of proofs) {
      if (proof === undefined) throw new Error('a call without a proof')
      const text = httpProofText({ machineId: 'm1', method: 'DELETE', path: '/api/daemons/self', bodyHash, ...proof })
      expect(isSigned(identity.publicKey, text, proof.signature)).toBe(true)
    }
    const stubborn = await serve(late)
    await expect(unlinkRemote(stubborn.url, { key: 'k', machineId: 'm1', identity })).rejects.toThrow('Late.')
    expect(stubborn.asked).toHaveLength(2)
  })
})

describe('a wrong address', () => {
  const say = async (promise: Promise<unknown>): Promise<string> =>
    promise.then(
      () => 'fine',
      (error: Error) => error.message,
    )

  test('is told apart: a web site, a moved server, another API, nothing, no TLS', async () => {
    expect(await say(startLink((await serve({ body: '<html>' })).url, facts))).toMatch(
      /answered 200 without JSON, so it/,
    )
    expect(await say(startLink((await serve({ status: 200, body: { hi: 1 } })).url, facts))).toMatch(
      /in a form that this version does not understand.*npx http.*\/agent-relay\.tgz$/,
    )
    const gone = await serve('hang up')
    expect(await say(startLink(gone.url, facts))).toMatch(/it closed the connection; is the address one of/)
    expect(await say(startLink(gone.url.replace('http:', 'https:'), facts))).toMatch(/does not speak TLS.*http:\/\//)
    const closed = await serve('hang up')
    servers.pop()?.close()
    expect(await say(startLink(closed.url, facts))).toMatch(/nothing listens there/)
    expect(await say(startLink('http://no-such-host.invalid', facts))).toMatch(/name|looked up/)
  })

  test('a redirect names the address to use', async () => {
    const server = createServer((_, response) =>
      response.writeHead(308, { location: 'https://new.example.com/api/link/start' }).end(),
    ).listen(0, '127.0.0.1')
    servers.push(server)
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    expect(await say(startLink(url, facts))).toContain('use: agent-relay link --url https://new.example.com')
  })

  test.each([
    ['https://relay.example.com/', 'https://relay.example.com'],
    ['relay.example.com', 'https://relay.example.com'],
    ['http://localhost:3000', 'http://localhost:3000'],
    ['http://127.0.0.9:1', 'http://127.0.0.9:1'],
    ['http://[::1]:3000', 'http://[::1]:3000'],
  ])('%s is usable', (text, origin) => {
    expect(controlOrigin(text)).toBe(origin)
  })

  test.each([
    [
      'http://relay.example.com',
      /plain http to another machine.*use https:\/\/relay\.example\.com, or add --insecure-http/,
    ],
    ['http://127.0.0.1.example.com', /plain http to another machine/],
    ['ftp://x', /starts with ftp:\/\//],
    ['http://', /is not a URL/],
    ['https://relay.example.com/o/acme', /use: agent-relay link --url https:\/\/relay\.example\.com$/],
    ['https://me:hunter2@relay.example.com', /^"https:\/\/…@relay\.example\.com" holds a password/],
  ])('%s is refused with what to write instead', (text, sentence) => {
    expect(() => controlOrigin(text)).toThrow(sentence)
  })

  test('plain http to another machine is possible when it is asked for', () => {
    expect(controlOrigin('http://10.0.0.5:3000', { isInsecureAllowed: true })).toBe('http://10.0.0.5:3000')
  })
})
