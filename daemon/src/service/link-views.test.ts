import { MachineView, PingView } from '@agent-relay/protocol/local'
import { describe, expect, test } from 'vitest'
import { BOB, CAROL, coreMachine, ME, rosterWith } from '../../test/support/core-machine.ts'
import { RelayError } from '../errors.ts'
import type { PeerView } from '../peers/transport.ts'
import { hostPort } from './link-views.ts'
import type { PeerPong } from './peering.ts'
import { pingByName } from './ping.ts'
import { machineViews, traceView } from './views.ts'

const up = { type: 'peer', machine: BOB.machine, isUp: true } as const
const link = (facts: Partial<PeerView> = {}): PeerView => ({
  ...{ machine: BOB.machine, state: 'direct', kind: 'lan', remote: { host: '192.168.1.23', port: 41650 } },
  ...{ latencyMs: 2.9, why: 'it answered first', since: 0 },
  ...facts,
})
type Alice = ReturnType<typeof coreMachine>
const viewOf = (alice: Alice, links: PeerView[], name: string) =>
  machineViews(alice.state, { links, controlMs: 61, now: alice.now })
    .map((view) => MachineView.parse(view))
    .find((view) => view.name === name)

test('an address of version 6 has its brackets', () => {
  expect(hostPort({ host: '2001:db8::20', port: 41650 })).toBe('[2001:db8::20]:41650')
  expect(hostPort({ host: 'relay.example', port: 1 })).toBe('relay.example:1')
})

describe('a machine', () => {
  test('has the link that there is to it, for as long as it has been', () => {
    const alice = coreMachine()
    alice.run(up)
    const bob = viewOf(alice, [link({ since: alice.now - 5_000 })], 'bob')
    expect(bob).toMatchObject({
      ...{ path: 'direct', latencyMs: 2.9, queued: 0, unacked: 0 },
      link: { state: 'direct', kind: 'lan', remote: '192.168.1.23:41650', why: 'it answered first', forMs: 5_000 },
    })
    expect(viewOf(alice, [link()], 'carol')).toMatchObject({ path: 'relay', latencyMs: 61 })
    expect(viewOf(alice, [link()], 'carol')).not.toHaveProperty('link')
    expect(viewOf(alice, [link()], 'alice')).toMatchObject({ isSelf: true, path: 'local' })
  })

  test('is told what is under way to it from what waits for it', () => {
    const alice = coreMachine()
    alice.send('Bob')
    alice.send('Bob')
    expect(viewOf(alice, [], 'bob')).toMatchObject({ queued: 2, unacked: 2 })
    alice.run({ type: 'down' })
    alice.send('Bob')
    expect(viewOf(alice, [], 'bob')).toMatchObject({ path: null, queued: 3, unacked: 0 })
    alice.join()
    expect(viewOf(alice, [], 'bob')).toMatchObject({ path: 'relay', queued: 3, unacked: 3 })
  })
})

test('what the control plane keeps for a machine is under way to it no more', () => {
  const alice = coreMachine()
  const ids = alice.send('Bob')
  alice.run({ type: 'relayed', ids, results: ids.map((id) => ({ id, state: 'stored' })) })
  expect(viewOf(alice, [], 'bob')).toMatchObject({ queued: 1, unacked: 0 })
})

describe('a trace', () => {
  const sentHop = (alice: Alice, id: string, links: PeerView[]) => {
    const row = alice.row(id)
    if (row === undefined) throw new Error('no row')
    return traceView(alice.state, row, links).hops.find(({ kind }) => kind === 'sent')
  }

  test('names the link by which a message left, while it is that link that there is', () => {
    const alice = coreMachine()
    alice.run(up)
    const [id = ''] = alice.send('Bob')
    alice.flush()
    expect(sentHop(alice, id, [link({ since: alice.now - 1 })])).toMatchObject({
      ...{ path: 'direct', note: 'lan 192.168.1.23:41650' },
    })
    for (const other of [[link({ since: alice.now + 1 })], [link({ state: 'suspect' })], [link({ machine: 'm' })], []])
      expect(sentHop(alice, id, other)).not.toHaveProperty('note')
  })

  test('gives a path to the attempt of which it is known, the latest', () => {
    const alice = coreMachine()
    const [id = ''] = alice.send('Bob')
    alice.pass(10)
    alice.run(up)
    alice.flush()
    const row = alice.row(id)
    if (row === undefined) throw new Error('no row')
    const { hops } = traceView(alice.state, row, [link({ since: 0 })])
    expect(hops).toMatchObject([
      { kind: 'queued' },
      { kind: 'sent', atMs: 0 },
      { kind: 'retry', attempt: 2, path: 'direct', note: 'lan 192.168.1.23:41650' },
    ])
    expect(hops[1]).not.toHaveProperty('path')
  })
})

describe('ping', () => {
  const pong: PeerPong = { via: 'relay', kind: null, remote: null, tookMs: 61, inbox: 'ok', status: 'idle' }
  const asked: [string, string | undefined][] = []
  const ping = async (name: string, answer: PeerPong | RelayError = pong, alice = coreMachine()) =>
    PingView.parse(
      await pingByName(
        {
          state: () => alice.state,
          now: () => alice.now,
          peering: {
            views: () => [link({ state: 'relay', kind: null, remote: null, why: 'no address answered' })],
            async ping(machine, agent) {
              asked.push([machine, agent])
              if (answer instanceof RelayError) throw answer
              return answer
            },
          },
        },
        name,
      ),
    )

  test('asks the machine of an agent, or a machine, in whatever case it is written', async () => {
    asked.length = 0
    expect(await ping('bOB')).toMatchObject({ machine: 'bob', agent: 'Bob', path: 'relay', why: 'no address answered' })
    // The agent comes first; a machine is named where no agent has its name.
    const withoutBob = coreMachine([{ name: 'Alice', machine: ME }, { name: 'API', machine: BOB.machine }, CAROL])
    expect(await ping('BOB', { ...pong, status: null }, withoutBob)).toMatchObject({ machine: 'bob', agent: null })
    expect(asked).toEqual([
      [BOB.machine, 'Bob'],
      [BOB.machine, undefined],
    ])
  })

  test('that nobody answers is an answer, that nobody can be asked is not', async () => {
    const silence = new RelayError('TIMEOUT', 'no answer within 5 s')
    expect(await ping('Bob', silence)).toMatchObject({ path: null, latencyMs: null, inbox: null, why: silence.message })
    expect(await ping('Bob', new RelayError('NOT_CONNECTED', 'bob is offline'))).toMatchObject({ path: null })
    const away = coreMachine()
    away.run({ type: 'up', roster: rosterWith([{ name: 'Alice', machine: ME }, BOB], [BOB.machine]) })
    expect(await ping('Bob', silence, away)).toMatchObject({ path: null, why: 'bob is offline' })
    for (const code of ['VERSION_UNSUPPORTED', 'NOT_LINKED'] as const)
      await expect(ping('Bob', new RelayError(code, 'no'))).rejects.toMatchObject({ code })
  })

  test('of oneself asks nobody', async () => {
    asked.length = 0
    expect(await ping('alice')).toMatchObject({ machine: 'alice', agent: 'Alice', path: 'local', status: 'offline' })
    expect(asked).toEqual([])
  })

  test('of nobody tells the nearest names of agents and machines', async () => {
    await expect(ping('Crol')).rejects.toMatchObject({
      ...{ code: 'UNKNOWN_ADDRESS', details: { nearest: ['Carol'] } },
      message: expect.stringMatching(
        /No agent or machine is called "Crol" in Acme\. Did you mean "Carol"\? .* agent-relay status$/,
      ),
    })
    await expect(ping('@olga')).rejects.toMatchObject({ code: 'BAD_REQUEST' })
  })
})
