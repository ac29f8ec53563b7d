import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openConnection } from '../src/client/connection.ts'
import { buildBundle } from './support/bundle.ts'
import { createMachine, type Machine, type Running } from './support/machine.ts'

let cli: string
let machine: Machine
beforeAll(() => {
  cli = buildBundle()
})
afterAll(() => rmSync(join(cli, '../../../..'), { recursive: true, force: true }))
beforeEach(() => {
  machine = createMachine(cli)
})
afterEach(() => machine.dispose())

const isAlive = (pid: number): boolean => {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ')
  } catch {
    return false
  }
}

/** The same command line in a terminal of its own, by script(1); its screen is its stdout. */
function inTerminal(args: string[], input: string): Running {
  const script = join(machine.home, 'keys.sh')
  const command = [process.execPath, cli, ...args].map((word) => `'${word}'`).join(' ')
  writeFileSync(script, `stty cols 90 rows 20; ${command}; echo "left with $?"; stty -a | grep -o ' [-]*icanon'\n`)
  return machine.exec('script', ['-qfec', `sh ${script}`, '/dev/null'], input)
}

describe('agents under run', () => {
  test('two shell scripts exchange messages by printing and reading lines', async () => {
    const answer = 'while read -r word rest; do case $word in ping) echo "->relay:Alice pong $rest";; esac; done'
    const bob = machine.start(['run', 'Bob', '--', 'sh', '-c', `echo up; ${answer}`])
    await bob.until(/up/)
    const ask =
      'echo "->relay:Bob <<<"; echo "ping 42"; echo ">>>"; while read -r line; do echo "$line"; case $line in pong*) exit 3;; esac; done'
    const alice = await machine.relay(['run', 'Alice', '--', 'sh', '-c', ask])
    expect(alice.code).toBe(3)
    expect(alice.stdout).toMatch(/from="Bob"[\s\S]*\npong 42\n$/)
    bob.child.kill('SIGINT')
    expect((await bob.ended).code).toBe(130)
  })

  test('a REPL evaluates nothing of a frame but says what it is told to print', async () => {
    const repl = machine.start([
      'run',
      'Repl',
      '--',
      process.execPath,
      '-e',
      `
      require('readline').createInterface({ input: process.stdin }).on('line', (line) => { if (line.startsWith('1+')) console.log('->relay:Alice ' + eval(line)) }); console.log('up')`,
    ])
    await repl.until(/up/)
    const alice = machine.start(['run', 'Alice', '--', 'sh', '-c', 'echo "->relay:Repl 1+41"; cat'])
    await alice.until(/from="Repl"[\s\S]*\n42\n<\/relay-message>/)
    alice.child.kill('SIGTERM')
    repl.child.kill('SIGTERM')
    await Promise.all([alice.ended, repl.ended])
  })

  test('a refused send is told on the input of the program that said it', async () => {
    const alice = await machine.relay([
      'run',
      'Alice',
      '--',
      'sh',
      '-c',
      'echo "->relay:Nobody hi"; read -r line; echo "got $line"',
    ])
    expect(alice.stdout).toMatch(/got \[relay\] not sent to Nobody: .*"Nobody".*agent-relay agents/)
  })

  test('commands inside speak as the agent, without a token in sight', async () => {
    await machine.relay(['run', 'Bob', '--', 'true'])
    const inside = `env | grep AGENT_RELAY; '${process.execPath}' '${cli}' whoami --json; '${process.execPath}' '${cli}' send Bob hello`
    const { stdout } = await machine.relay(['run', 'Alice', '--', 'sh', '-c', inside])
    const token = readFileSync(join(machine.home, 'agents/alice.token'), 'utf8').trim()
    expect(stdout).toContain('"agent":"Alice"')
    expect(stdout).not.toContain(token)
    expect((await machine.relay(['inbox', 'Bob', '--json'])).stdout).toContain('"from":"Alice"')
  })

  test('a name that runs here is refused with the pid of who has it', async () => {
    const bob = machine.start(['run', 'Bob', '--', 'sh', '-c', 'echo "pid=$$"; cat'])
    const [, pid] = await bob.until(/pid=(\d+)/)
    const second = await machine.relay(['run', 'bob', '--', 'cat'])
    expect(second.code).toBe(1)
    expect(second.stderr).toMatch(new RegExp(`^agent-relay: .*already runs on this machine \\(pid ${pid}\\)`))
    bob.child.kill('SIGTERM')
    await bob.ended
  })

  test('a command that does not exist is said in one line and holds no name', async () => {
    const { code, stderr } = await machine.relay(['run', 'Bob', '--', 'no-such-program-x'])
    expect([code, stderr.split('\n')[1]]).toEqual([1, expect.stringMatching(/There is no program "no-such-program-x"/)])
    expect((await machine.relay(['run', 'Bob', '--', 'true'])).code).toBe(0)
  })

  test('in a terminal: size, echo, typed sends, exit code, and the terminal is given back as it was', async () => {
    const bob = machine.start(['run', 'Bob', '--', 'sh', '-c', 'echo up; cat'])
    await bob.until(/up/)
    const screen = inTerminal(
      ['run', 'Alice', '--', 'sh', '-c', 'stty size; read -r line; echo "->relay:Bob $line"; exit 9'],
      'typed by hand\r',
    )
    await bob.until(/typed by hand\n<\/relay-message>/)
    const { stdout } = await screen.ended
    expect(stdout).toContain('20 90\r\n')
    expect(stdout).toMatch(/20 90\r\n(typed by hand\r\n)?->relay:Bob typed by hand\r\n/)
    expect(stdout).toMatch(/left with 9\r\n icanon/)
    bob.child.kill('SIGTERM')
    await bob.ended
  })

  test('ends with its terminal, however that goes, and is offline within two seconds', async () => {
    const bob = machine.start([
      'run',
      'Bob',
      '--',
      'sh',
      '-c',
      'trap "" HUP; echo "pid=$$"; while :; do sleep 0.1; done',
    ])
    const pid = Number((await bob.until(/pid=(\d+)/))[1])
    bob.child.kill('SIGKILL')
    await expect.poll(() => isAlive(pid), { timeout: 4000 }).toBe(false)
    const status = async () => JSON.parse((await machine.relay(['agents', '--json'])).stdout).agents[0].status
    await expect.poll(status, { timeout: 4000 }).toBe('offline')
  })

  test('goes on without its terminal when detached, and ends with down', async () => {
    const { code, stdout } = await machine.relay(['run', 'Bob', '--detach', '--', 'cat'])
    expect(code).toBe(0)
    const pid = Number(stdout)
    expect((await machine.relay(['send', 'Bob', 'hi', '--wait=injected'])).code).toBe(0)
    expect(isAlive(pid)).toBe(true)
    await machine.relay(['down'])
    expect(isAlive(pid)).toBe(false)
  })

  test('an agent client with a screen of its own is never typed into; its messages wait in its inbox', async () => {
    writeFileSync(join(machine.home, 'claude'), '#!/bin/sh\necho up\ncat\n', { mode: 0o755 })
    const claude = machine.start(['run', 'Alice', '--', join(machine.home, 'claude')])
    await claude.until(/up/)
    expect((await machine.relay(['send', 'Alice', 'hi', '--wait=injected', '--timeout', '300ms'])).code).toBe(5)
    expect(claude.out.stdout).toBe('up\n')
    expect((await machine.relay(['inbox', '--json'], { env: agentEnvironment('alice') })).stdout).toContain('"hi"')
    expect((await machine.relay(['inbox', 'Alice', '--json'])).stdout).toContain('"state":"seen"')
    claude.child.kill('SIGTERM')
    await claude.ended
  })

  test('a hundred agents cost the daemon little memory and nothing is left of them', async () => {
    await machine.relay(['up'])
    const rss = () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${machine.daemonPid()}/status`, 'utf8'))?.[1]) / 1024
    const before = rss()
    const env = { PATH: process.env.PATH ?? '' }
    const startOne = async (i: number): Promise<number> => {
      const connection = await openConnection({ socket: join(machine.home, 'relay.sock'), client: 'test' })
      const size = i % 2 ? { cols: 80, rows: 24 } : {}
      const run = { name: `A${i}`, command: ['cat'], cwd: '/', env, isDetached: true, ...size }
      const { pid } = await connection.request('run', run)
      connection.close()
      return pid
    }
    const runs = await Promise.all(Array.from({ length: 100 }, (_, i) => startOne(i)))
    const after = rss()
    console.log(`100 cat agents: daemon ${before.toFixed(0)} → ${after.toFixed(0)} MB`)
    expect(after - before).toBeLessThan(60)
    await machine.relay(['down'])
    expect(runs.filter(isAlive)).toEqual([])
    expect(execFileSync('ps', ['-A', '-o', 'args=']).toString()).not.toContain(machine.home)
  })
})

const agentEnvironment = (name: string) => ({
  AGENT_RELAY_NAME: name,
  AGENT_RELAY_TOKEN_FILE: join(machine.home, `agents/${name}.token`),
})
