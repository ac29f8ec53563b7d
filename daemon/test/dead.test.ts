/** Messages that failed: the sender is told in-band, sends one again or lets it go; `send --wait` says it with its exit code. */
import { rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { buildBundle } from './support/bundle.ts'
import { createMachine, type Machine } from './support/machine.ts'

let cli: string
let machine: Machine
beforeAll(() => {
  cli = buildBundle()
})
afterAll(() => rmSync(join(dirname(cli), '../../..'), { recursive: true, force: true }))
beforeEach(async () => {
  machine = createMachine(cli)
  for (const name of ['Alice', 'Bob']) await machine.relay(['run', name, '--', 'true'])
})
afterEach(() => machine.dispose())

/** A message of Alice that failed because Bob did not take it in time. */
async function deadLetter(text: string) {
  const sent = await machine.relay([
    'send',
    'Bob',
    text,
    '--from',
    'Alice',
    '--thread',
    'plan',
    '--ttl',
    '500ms',
    '--wait=injected',
    '--timeout',
    '1m',
  ])
  return { ...sent, id: sent.stdout.trim() }
}

test('send --wait ends with 1 when the message failed, and says why and what to do', async () => {
  const { code, id, stderr } = await deadLetter('too late')
  expect(code).toBe(1)
  expect(stderr).toMatch(/^Bob \(.*\) failed: its time to live ended/)
  expect(stderr).toContain(`Next: agent-relay dead retry ${id}\n`)
  const trace = await machine.relay(['trace', id])
  expect(trace.stdout).toMatch(/failed/)
  expect(trace.stdout).toMatch(/^reason: its time to live ended/m)
})

test('the agent that sent it hears of it in-band, with the command that sends it again', async () => {
  const alice = machine.start(['run', 'Alice', '--', 'cat'])
  const { id } = await deadLetter('too late')
  const [, retry] = await alice.until(
    new RegExp(`^\\[relay\\] Message ${id} to Bob was not delivered: .* agent-relay (dead retry ${id})$`, 'm'),
  )
  alice.child.kill('SIGTERM')
  await alice.ended
  const again = await machine.relay(String(retry).split(' '))
  expect(again).toMatchObject({ code: 0, stderr: expect.stringMatching(/^Bob \(.*\) accepted/) })
  const { entry } = JSON.parse((await machine.relay(['read', again.stdout.trim(), '--json'])).stdout)
  expect(entry).toMatchObject({ retryOf: id, message: { body: 'too late', from: 'Alice', to: 'Bob', thread: 'plan' } })
})

test('dead lists what failed until it is sent again, once, or let go', async () => {
  const { relay } = machine
  const [one, two, three] = [await deadLetter('one'), await deadLetter('two'), await deadLetter('three')]
  const listed = async () =>
    JSON.parse((await relay(['dead', '--json'])).stdout).entries.map((e: { message: { id: string } }) => e.message.id)
  expect(await listed()).toEqual([one.id, two.id, three.id])
  const list = await relay(['dead'])
  expect(list.stdout).toMatch(new RegExp(`Alice → Bob +failed +${one.id}\n +\\[plan\\] one\n +its time to live ended`))
  expect(list.stderr).toMatch(/^Next: agent-relay dead retry ID/)
  // Somebody is there by now: what is sent again has the same short time to live.
  const bob = machine.start(['run', 'Bob', '--', 'sh', '-c', 'echo ready; cat'])
  await bob.until(/^ready$/m)
  const first = await relay(['dead', 'retry', one.id])
  await bob.until(/^one$/m)
  const second = await relay(['dead', 'retry', one.id.slice(0, 20)])
  expect(second.stdout, 'asked twice, sent once').toBe(first.stdout)
  expect(bob.out.stdout.match(/^one$/gm)).toHaveLength(1)
  expect(await listed()).toEqual([two.id, three.id])
  expect((await relay(['dead', 'drop', one.id])).stderr).toMatch(/was sent again as/)
  expect(await relay(['dead', 'drop', two.id])).toMatchObject({ code: 0, stderr: '1 message let go.\n' })
  expect(await relay(['dead', 'retry', two.id])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('was dropped'),
  })
  expect((await relay(['dead', 'drop', '--all'])).stderr).toBe('1 message let go.\n')
  expect(await relay(['dead'])).toMatchObject({ code: 0, stdout: '', stderr: 'No message of this machine is dead.\n' })
  const history = (await relay(['history', '--with', 'Bob'])).stdout
  expect(history).toContain(`sent again as ${first.stdout.trim()}`)
  expect(history, 'what failed stays in the history').toContain(three.id)
  bob.child.kill('SIGTERM')
  await bob.ended
})

test('an agent sees and decides over its own dead letters only', async () => {
  const { id } = await deadLetter('of Alice')
  const as = (name: string, args: string[]) => machine.relay(['run', name, '--', process.execPath, cli, ...args])
  expect(JSON.parse((await as('Bob', ['dead', '--json'])).stdout).entries).toEqual([])
  expect(await as('Bob', ['dead', 'retry', id])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('was sent by Alice'),
  })
  expect(JSON.parse((await as('Alice', ['dead', '--json'])).stdout).entries).toHaveLength(1)
  expect(await as('Alice', ['dead', 'retry', id])).toMatchObject({ code: 0 })
})

test('every slip on the command line names the right word', async () => {
  const mistakes: [string[], RegExp][] = [
    [['dead', 'resend', 'x'], /dead takes retry or drop, and got "resend"/],
    [['dead', 'retry'], /dead retry needs an ID\./],
    [['dead', 'drop'], /dead drop needs an ID, or --all\./],
    [['dead', 'retry', '--all'], /--all goes with dead drop/],
    [['history', '--limit', 'many'], /--limit takes a number from 1 to 1000/],
    [['history', 'Bob'], /history does not take "Bob"/],
    [['read'], /read needs ID/],
    [['reply'], /reply needs ID/],
  ]
  for (const [args, words] of mistakes) {
    const { code, stderr } = await machine.relay(args)
    expect({ args, code }).toEqual({ args, code: 2 })
    expect(stderr).toMatch(words)
  }
  expect(await machine.relay(['dead', 'retry', 'ffffffff'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('knows no message'),
  })
})
