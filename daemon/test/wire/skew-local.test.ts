/** Command and daemon of neighbouring versions on one machine: each as it was recorded, against the other of this source. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { transcript } from '@agent-relay/protocol/transcripts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openConnection, type Push } from '../../src/client/connection.ts'
import { homePaths } from '../../src/home/paths.ts'
import { daemonLab } from '../daemon-process.ts'
import { buildBundle } from '../support/bundle.ts'
import { rawClient } from './raw-local.ts'

let cli: string
let lab: ReturnType<typeof daemonLab>
let home: string
beforeAll(async () => {
  cli = buildBundle()
  lab = daemonLab(cli)
  home = lab.home('skew')
  await lab.start(home)
})
afterAll(async () => {
  await lab.close()
  rmSync(join(dirname(cli), '../../..'), { recursive: true, force: true })
})

/** Ids and tokens are of the run: wherever the two differ in a text, what is said next says the text of this run. */
function learn(recorded: unknown, actual: unknown, known: Map<string, string>): void {
  if (typeof recorded === 'string' && typeof actual === 'string' && recorded !== actual) known.set(recorded, actual)
  if (typeof recorded !== 'object' || recorded === null) return
  for (const [key, part] of Object.entries(recorded)) {
    expect(Object.keys(actual as object), 'a field that version 1 had').toContain(key)
    learn(part, (actual as Record<string, unknown>)[key], known)
  }
}

test('a command of version 1 is served by this daemon as it was by its own', async () => {
  const bob = await lab.connect(home, 'Bob')
  const client = await rawClient(homePaths(home).socket)
  const known = new Map<string, string>()
  for (const { isOpener, text } of transcript('local-1', 'session')) {
    if (isOpener) {
      client.send(`${[...known].reduce((line, [old, now]) => line.replaceAll(old, now), text)}\n`)
      continue
    }
    const recorded = JSON.parse(text)
    if (recorded.type === 'deliver') await bob.request('send', { to: 'Alice', body: recorded.message.body })
    const actual = JSON.parse((await client.line()) ?? '')
    expect([actual.type, actual.id, actual.code]).toEqual([recorded.type, recorded.id, recorded.code])
    if (actual.type === 'welcome') expect(actual.v).toBe(1)
    learn(recorded, actual, known)
  }
  // Codes that came later are told as what version 1 knows.
  for (const { isOpener, text } of transcript('local-1', 'unknown'))
    if (isOpener) client.send(`${text.replace('history', 'of-a-later-version')}\n`)
    else expect(JSON.parse((await client.line()) ?? '')).toMatchObject({ type: 'error', id: 9, code: 'BAD_REQUEST' })
  client.send('{"type":"whoami","id":10}\n')
  expect(JSON.parse((await client.line()) ?? '')).toMatchObject({ type: 'ok', id: 10 })
  client.socket.destroy()
})

test.each([
  [
    99,
    /^The client is newer: it speaks version 99 of .* 1 to 3\. Restart the daemon: agent-relay down, then agent-relay up$/,
  ],
])('version %i is refused with what to do', async (v, message) => {
  const client = await rawClient(homePaths(home).socket)
  client.send(`${JSON.stringify({ type: 'hello', v, client: 'x' })}\n`)
  const [line = '', ...more] = await client.rest()
  expect(JSON.parse(line)).toMatchObject({
    type: 'error',
    id: null,
    code: 'VERSION_UNSUPPORTED',
    message: expect.stringMatching(message),
  })
  expect(more).toEqual([])
})

test('an unknown request is UNKNOWN_FRAME, with or without an id, and the connection lives', async () => {
  const client = await rawClient(homePaths(home).socket)
  client.send(
    '{"type":"hello","v":2,"client":"x"}\n{"type":"teleport","id":5}\n{"type":"teleport"}\n{"type":"whoami","id":6}\n',
  )
  const lines = [await client.line(), await client.line(), await client.line(), await client.line()]
  expect(lines.map((line) => JSON.parse(line ?? ''))).toMatchObject([
    { type: 'welcome', v: 2 },
    { type: 'error', id: 5, code: 'UNKNOWN_FRAME' },
    { type: 'error', id: null, code: 'UNKNOWN_FRAME' },
    { type: 'ok', id: 6 },
  ])
  client.socket.destroy()
})

test('a client of version 2 is served as before, with what version 3 added beside it', async () => {
  const client = await rawClient(homePaths(home).socket)
  client.send('{"type":"hello","v":2,"client":"x"}\n{"type":"status","id":1}\n{"type":"history","id":2}\n')
  expect(JSON.parse((await client.line()) ?? '')).toMatchObject({ type: 'welcome', v: 2 })
  const { result } = JSON.parse((await client.line()) ?? '')
  const second = {
    id: '',
    name: '',
    person: '',
    platform: '',
    isSelf: true,
    isOnline: true,
    lastSeenAt: null,
    path: '',
  }
  const counts = { latencyMs: null, queued: 0, sent: 0, received: 0, agents: [] }
  expect(Object.keys(result.machines[0])).toEqual(expect.arrayContaining(Object.keys({ ...second, ...counts })))
  expect(JSON.parse((await client.line()) ?? '')).toMatchObject({ type: 'ok', id: 2 })
  client.socket.destroy()
})

test('this command finds a daemon of version 1, speaks 1 with it, and says what that one cannot do', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'relay-old-'))
  const path = join(folder, 's')
  const session = transcript('local-1', 'session')
  const heard: string[] = []
  const old = createServer((socket) => {
    let place = 0
    const answer = (): void => {
      for (; session[place]?.isOpener === false; place++) socket.write(`${session[place]?.text}\n`)
    }
    createInterface({ input: socket }).on('line', (line) => {
      heard.push(line)
      if (/^{"type":"hello","v":[23]/.test(line)) {
        socket.end(`${transcript('local-1', 'refusal')[1]?.text}\n`)
        return
      }
      expect(session[place]?.isOpener ?? true).toBe(true)
      place++
      answer()
    })
  })
  await new Promise<void>((resolve) => old.listen(path, resolve))
  const pushes: Push[] = []
  const connection = await openConnection({ socket: path, client: 'cli/0.1.0', onPush: (push) => pushes.push(push) })
  expect([connection.version, connection.agent]).toEqual([1, null])
  const said = session.filter(({ isOpener }) => isOpener).map(({ text }) => text)
  for (const text of said.slice(1)) {
    const { type, id, ...fields } = JSON.parse(text)
    const recorded = session.map((one) => JSON.parse(one.text)).find((one) => one.id === id && one.type !== type)
    const asked = connection.request(type as 'whoami', fields as Record<string, never>)
    if (recorded.type === 'ok') expect(await asked).toEqual(recorded.result)
    else await expect(asked).rejects.toMatchObject({ code: recorded.code, message: recorded.message })
  }
  expect(heard.slice(2)).toEqual(said)
  expect(pushes).toHaveLength(1)
  await expect(connection.request('history' as 'whoami', {})).rejects.toMatchObject({
    code: 'VERSION_UNSUPPORTED',
    message: expect.stringMatching(
      /^The daemon \(0\.1\.0\) is older than this agent-relay and knows no history\. Next: agent-relay down, then agent-relay up$/,
    ),
  })
  connection.close()
  await connection.closed
  old.close()
  rmSync(folder, { recursive: true, force: true })
})
