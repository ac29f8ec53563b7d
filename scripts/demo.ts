/**
 * `npm run demo`: three machines of one organization with an agent each, messaging until Ctrl-C, on the control plane that
 * runs or on one of its own. Every program is the real one; only what the agents say is scripted.
 */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { env } from '#lib/env.ts'
import { buildPackage } from './build.ts'
import { whoRuns } from './data-folder.ts'
import { onEnd } from './on-end.ts'
import { type Machine, makeMachine } from './scene/machine.ts'
import { type Person, signIn } from './scene/person.ts'
import { ownPlane, type Plane, runningPlane } from './scene/plane.ts'

const orgName = 'Agent Relay demo'
const machineNames = ['alice-mbp', 'bob-mbp', 'carol-lt']
/** How long everybody is there, and how long Carol's laptop then sleeps. */
const togetherMs = 20_000
const asleepMs = 10_000

const say = (line: string): void => console.log(line)
const ending = new AbortController()
const undo: (() => Promise<unknown>)[] = []

async function main(): Promise<void> {
  await buildPackage(say)
  const plane = await findPlane()
  undo.push(() => plane.stop())
  const person = await signIn(plane.url, await plane.signInLink())
  const org = await demoOrg(person)
  say(`Watch it: ${plane.isOwn ? await plane.signInLink() : `${plane.url}/o/${org.slug}`}`)

  const folder = await mkdtemp(path.join(tmpdir(), 'relay-demo-'))
  undo.push(() => rm(folder, { recursive: true, force: true }))
  const machines = machineNames.map((name) => makeMachine(folder, name))
  undo.push(() => Promise.all(machines.map((machine) => leave(machine, plane))))
  say(`Linking ${machines.map(({ name }) => name).join(', ')} …`)
  await Promise.all(machines.map((machine) => machine.link(plane.url, person, org.id)))
  await Promise.all(machines.map((machine) => machine.run(['up'])))
  say('All three are linked and up; Ctrl-C ends everything.\n')
  await play(machines)
}

async function play(machines: Machine[]): Promise<void> {
  const [alice, bob, carol] = machines as [Machine, Machine, Machine]
  startAgent(bob, 'Bob')
  let carolsAgent = startAgent(carol, 'Carol')
  await known(alice, ['Bob', 'Carol'])
  startAgent(alice, 'Alice')
  for (;;) {
    await delay(togetherMs, undefined, { signal: ending.signal })
    say('\n-- carol-lt goes to sleep; what Carol is sent now waits in the mailbox --')
    await carol.run(['down'])
    await ended(carolsAgent)
    await delay(asleepMs, undefined, { signal: ending.signal })
    say('\n-- carol-lt is back and gets what waited --')
    await carol.run(['up'])
    carolsAgent = startAgent(carol, 'Carol')
  }
}

function startAgent(machine: Machine, agent: string): ChildProcess {
  const script = path.join(import.meta.dirname, 'scene/agent.ts')
  const child = machine.start(['run', agent, '--project', 'demo', '--', process.execPath, script, agent])
  createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => {
    if (!ending.signal.aborted) say(`${machine.name.padEnd(10)} ${line}`)
  })
  child.stdout?.resume()
  return child
}

/** Waits until the machine has heard of these agents: a lead that writes before its team is there is told so. */
async function known(machine: Machine, names: string[]): Promise<void> {
  for (;;) {
    const { agents } = JSON.parse(await machine.run(['agents', '--json'])) as { agents: { name: string }[] }
    if (names.every((name) => agents.some((agent) => agent.name === name))) return
    await delay(200, undefined, { signal: ending.signal })
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}

async function findPlane(): Promise<Plane> {
  const { RELAY_DATA_DIR, PORT } = env()
  const url = whoRuns(RELAY_DATA_DIR)?.url ?? `http://localhost:${PORT}`
  const running = await runningPlane(url)
  if (running) {
    say(`Using the control plane at ${url}.`)
    return running
  }
  say(`No control plane runs at ${url}; starting one for this demo, which goes with it …`)
  return ownPlane(say)
}

/** The demo's own organization, made when this person has none yet: demos do not mix with real work. */
async function demoOrg(person: Person): Promise<{ id: string; slug: string }> {
  const { orgs } = await person.query<{ orgs: { id: string; slug: string; name: string }[] }>('me.get')
  return orgs.find(({ name }) => name === orgName) ?? (await person.change('orgs.create', { name: orgName }))
}

/** A machine of a control plane that stays must not be listed there for ever. */
async function leave(machine: Machine, plane: Plane): Promise<void> {
  if (!plane.isOwn) await machine.run(['unlink', '--force']).catch((error: Error) => say(error.message))
  await machine.remove()
}

async function end(code: number): Promise<void> {
  if (ending.signal.aborted) return
  ending.abort()
  say('\nEnding the demo …')
  for (const step of undo.reverse()) await step().catch((error: Error) => say(error.message))
  process.exit(code)
}

onEnd(() => void end(0))
try {
  await main()
} catch (error) {
  if (!ending.signal.aborted) {
    console.error(error instanceof Error ? error.message : error)
    await end(1)
  }
}
