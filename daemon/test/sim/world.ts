/** Everything of one run: builds the world of a schedule, lets it happen, and ends in quiet, where all must have come to rest. */
import { nameKey } from '@agent-relay/protocol'
import { RELAY_SENDER } from '../../src/core/failure.ts'
import { type Agent, createAgent } from './agent.ts'
import { type Diary, noDiary, writeDiary } from './diary.ts'
import { createGround, type Ground } from './ground.ts'
import { createMachine, type Machine } from './machine.ts'
import { createMachineClock } from './machine-clock.ts'
import { meet, part } from './meetings.ts'
import { createNetwork, type Network } from './network.ts'
import { createOracle, type Oracle, Violation } from './oracle.ts'
import { createPlaces, type Places } from './places.ts'
import { createPlane, type Plane } from './plane.ts'
import { createRandom } from './random.ts'
import type { Action, Schedule } from './schedule.ts'
import type { Session } from './session.ts'
import { createTimeline, type Timeline } from './timeline.ts'

/** Far above what the longest schedule takes. */
const MOST_EVENTS = 100_000
/** Within this the control plane knows of every connection that it is over, and within that a machine has dialed again. */
const ENDED_MS = 65_000
const DIALED_MS = 35_000
/** Within this of the quiet end everything has arrived: the longest pause of any timer is a minute and a half. */
const QUIET_MS = 40 * 60_000
/** And then nothing may be said any more for so long. */
const SILENCE_MS = 5 * 60_000

type World = {
  timeline: Timeline
  network: Network
  plane: Plane
  ground: Ground
  places: Places
  oracle: Oracle
  diary: Diary
  machines: Machine[]
  agents: Agent[]
}

export type Outcome = {
  messages: number
  links: number
  events: number
  failure: { rule: string; text: string } | undefined
}

/** Runs a schedule to its end. The same one always has the same outcome. `write` gets its diary. */
export function play(schedule: Schedule, write?: (line: string) => void): Outcome {
  const world = build(schedule, write)
  const { timeline, oracle, machines } = world
  let failure: Outcome['failure']
  try {
    for (const action of schedule.actions) timeline.at(action.at, () => act(world, action))
    timeline.runUntil(schedule.actions.at(-1)?.at ?? 0)
    settle(world, schedule.seed % 2 === 1)
  } catch (error) {
    const isExpected = error instanceof Violation
    failure = {
      rule: isExpected ? error.rule : 'defect',
      text: isExpected ? error.message : String((error as Error)?.stack ?? error),
    }
  }
  for (const machine of machines) machine.close()
  return { messages: oracle.count(), links: oracle.links.made(), events: timeline.count(), failure }
}

function build({ seed, networks, machines: specs, agents: names }: Schedule, write?: (line: string) => void): World {
  const timeline = createTimeline(MOST_EVENTS)
  const diary = write === undefined ? noDiary : writeDiary(timeline.now, write)
  const ids = specs.map((_, i) => `m${i}`)
  const oracle = createOracle(timeline.now, ids)
  const plane: Plane = createPlane({
    timeline,
    random: createRandom(seed, 'plane'),
    network: () => network,
    machines: ids,
  })
  const network = createNetwork({ timeline, random: createRandom(seed, 'network'), closedThere: plane.closed })
  const places = createPlaces({ random: createRandom(seed, 'places'), machines: specs, networks, isCut: network.isCut })
  const ground = createGround({ timeline, random: createRandom(seed, 'ground'), places })
  const agents: Agent[] = []
  const machines = specs.map(({ skewMs }, index) => {
    const random = createRandom(seed, `machine ${index}`)
    const clock = createMachineClock({
      timeline,
      random,
      skewMs,
      blurred: (ms) => oracle.blurred(ids[index] as string, ms),
    })
    const started = (): void => {
      for (const agent of agents) if (agent.home() === machine) agent.start()
    }
    const id = ids[index] as string
    const machine: Machine = createMachine({
      id,
      index,
      timeline,
      clock,
      random,
      network,
      plane,
      ground,
      places,
      oracle,
      diary,
      started,
    })
    return machine
  })
  for (const [index, { name, project, machine }] of names.entries()) {
    const random = createRandom(seed, `agent ${index}`)
    agents.push(createAgent({ name, project, home: machines[machine] as Machine, random, oracle }))
  }
  for (const machine of machines) machine.start()
  return { timeline, network, plane, ground, places, oracle, diary, machines, agents }
}

function act(world: World, action: Action): void {
  const { timeline, network, plane, ground, oracle, diary } = world
  diary.note('world', () => JSON.stringify(action))
  const later = (ms: number, then: () => void): void => void timeline.at(timeline.now() + ms, then)
  const machine = 'machine' in action ? (world.machines[action.machine] as Machine) : undefined
  const agent = 'agent' in action ? (world.agents[action.agent] as Agent) : undefined
  const other = 'other' in action ? (world.machines[action.other] as Machine) : undefined
  const session = machine?.process()?.line.session()
  switch (action.do) {
    case 'send':
      agent?.send(action.to, { count: action.count, sizeBytes: action.sizeBytes, ttlMs: action.ttlMs })
      break
    case 'crash':
      machine?.crash(action)
      break
    case 'stop':
      machine?.stop(action.downMs, action.jumpMs)
      break
    case 'wipe':
      machine?.wipe(action.downMs)
      break
    case 'cut':
      if (machine === undefined) break
      network.setCut(machine.id, true)
      if (session !== undefined) {
        const { isClean, forMs } = action
        network.sever(session, isClean ? 1 : 1_000 + (forMs % 39_000), isClean ? 1 : 1_000 + (forMs % 61_000))
      }
      later(action.forMs, () => {
        network.setCut(machine.id, false)
        ground.changed()
      })
      break
    case 'roam':
      machine?.roam(action.network)
      break
    case 'hole':
      if (machine !== undefined && other !== undefined) hole(world, [machine, other], action)
      break
    case 'break':
      if (machine !== undefined && other !== undefined) ground.break(machine.id, other.id, action.how)
      break
    case 'middle':
      if (machine === undefined || other === undefined) break
      ground.setMiddle(machine.id, other.id, true)
      later(action.forMs, () => ground.setMiddle(machine.id, other.id, false))
      break
    case 'revoke':
      if (machine === undefined || oracle.isRevoked(machine.id)) break
      oracle.revoked(machine.id)
      machine.revoke(action.isDefiant)
      break
    case 'weather':
      if (machine === undefined) break
      network.setWeather(machine.id, action.weather)
      later(action.forMs, () => network.setWeather(machine.id, undefined))
      break
    case 'plane':
      plane.crash(action.point, action.downMs)
      break
    case 'crowd':
      plane.setCrowded(true)
      later(action.forMs, () => plane.setCrowded(false))
      break
    case 'full':
      machine?.setFull(true)
      later(action.forMs, () => machine?.setFull(false))
      break
    case 'clock':
      machine?.setClock(action.jumpMs)
      break
    case 'sleep':
      if (machine?.isAwake() !== true) break
      machine.sleep(action.clock)
      if (session !== undefined && action.forMs > 40_000) network.sever(session, action.forMs + 1, 60_000)
      later(action.forMs, machine.wake)
      break
    case 'away':
      agent?.leave()
      later(action.forMs, () => agent?.back())
      break
    case 'deaf':
      agent?.setDeaf(true)
      later(action.forMs, () => agent?.setDeaf(false))
      break
    case 'move':
      if (machine !== undefined) agent?.moveTo(machine)
      break
  }
}

function hole(
  world: World,
  [one, other]: [Machine, Machine],
  { forMs, isOneWay }: { forMs: number; isOneWay: boolean },
): void {
  const { timeline, places, ground } = world
  const set = (isOn: boolean): void => {
    places.setHole(one.id, other.id, isOn)
    if (!isOneWay) places.setHole(other.id, one.id, isOn)
  }
  set(true)
  timeline.at(timeline.now() + forMs, () => {
    set(false)
    ground.changed()
  })
}

/** Heals everything and waits until nothing moves any more; then everybody writes once more to whom they wrote. */
function settle(world: World, isPatient: boolean): void {
  const { timeline, oracle, agents, diary } = world
  diary.note('world', () => 'heals, and whoever talks to each other finds to each other')
  heal(world)
  // In the other half connections are made anew at once, so that they come up while everything else begins to move again.
  if (isPatient) {
    timeline.runUntil(timeline.now() + ENDED_MS)
    // A heartbeat would in truth have found those that are over at one end.
    reconnect(world, ({ isOpenThere }) => !isOpenThere)
    timeline.runUntil(timeline.now() + DIALED_MS)
    meet(world)
  }
  diary.note('world', () => 'everything comes to rest')
  // Every connection is a new one: one that frames were lost on would in truth have ended, too.
  reconnect(world, () => true)
  world.ground.reset()
  rest(world)
  diary.note('world', () => 'everybody writes once more to whom they wrote')
  for (const agent of agents)
    for (const to of oracle.recipientsOf(agent.key)) agent.send(to, { count: 1, sizeBytes: 10, ttlMs: undefined })
  // Over the turns in which that is asked for and committed.
  timeline.runUntil(timeline.now() + 100)
  rest(world)
  meet(world)
  rest(world)
  oracle.settled()
  const said = oracle.said()
  timeline.runUntil(timeline.now() + SILENCE_MS)
  if (oracle.said() !== said)
    throw new Violation('not silent', `${oracle.said() - said} frames after everything arrived`)
  part(world)
  for (const machine of world.machines) if (!oracle.isRevoked(machine.id)) compare(world, machine)
}

function rest(world: World): void {
  const { timeline } = world
  const end = timeline.now() + QUIET_MS
  for (let left = restless(world); left !== undefined; left = restless(world)) {
    if (timeline.now() >= end) throw new Violation('not drained', left)
    timeline.runUntil(timeline.now() + 10_000)
  }
}

function heal({ timeline, network, plane, ground, places, machines, agents }: World): void {
  plane.heal()
  network.heal()
  places.heal()
  for (const machine of machines) machine.heal()
  ground.heal()
  for (const agent of agents) {
    agent.setDeaf(false)
    timeline.at(timeline.now() + 100, agent.back)
  }
}

function reconnect({ network, machines }: World, isMeant: (session: Session) => boolean): void {
  for (const machine of machines) {
    const session = machine.process()?.line.session()
    if (session !== undefined && isMeant(session)) network.sever(session, 1, 1)
  }
}

/** What is still under way; undefined at rest. */
function restless({ plane, oracle, machines, agents }: World): string | undefined {
  const isLeft = ({ id }: Machine): boolean => !oracle.isRevoked(id)
  for (const agent of agents) if (isLeft(agent.home()) && !agent.isReceiving()) return `${agent.key} does not run`
  for (const machine of machines.filter(isLeft)) {
    const engine = machine.process()?.service.engine
    if (engine === undefined) return `${machine.id} does not run`
    const state = engine.state()
    if (!state.isUp) return `${machine.id} is not connected`
    if (state.outCount > 0) return `${state.outCount} messages wait in the outbox of ${machine.id}`
    if (state.owedCount > 0) return `${state.owedCount} receipts are owed by ${machine.id}`
    for (const agent of state.agents.values()) {
      // Whoever runs elsewhere by now, or not any more, takes nothing here: until it expires, that waits.
      const isStranded = agents.some(({ key, home }) => key === agent.key && !isLeft(home()))
      const isGone = isStranded || agent.claim === 'refused'
      const until = isGone ? engine.now() + SILENCE_MS : Number.POSITIVE_INFINITY
      const waiting = [...agent.waiting.values()].filter((entry) => entry.expiresAt < until)
      if (waiting.length > 0) return `${waiting.length} messages wait for ${agent.name} on ${machine.id}`
    }
  }
  const mail = plane.mailbox.all().filter((item) => {
    if (item.kind === 'return') return !oracle.isRevoked(item.to)
    const { id, from, to, outboxEpoch } = item.envelope
    if ([from.machine, to.machine].some(oracle.isRevoked)) return false
    return oracle.isLive(from.machine, outboxEpoch) && !oracle.isFailed(id)
  })
  return mail.length > 0 ? `${mail.length} items wait in the mailbox` : undefined
}

/** What the disk holds is what the oracle saw, and a restart would come to the same state. */
function compare({ oracle, agents }: World, machine: Machine): void {
  const state = machine.process()?.service.engine.state()
  const store = machine.store()
  if (state === undefined) return
  for (const { key } of agents) {
    const rows = store.read.inbox(key, { after: 0, limit: 10_000 }).filter((row) => row.fromAgent !== RELAY_SENDER)
    const found = rows.map((row) => row.id).join(' ')
    if (found !== oracle.inboxOf(machine.id, key).join(' '))
      throw new Violation('disk', `the inbox of ${key} on ${machine.id} holds ${found}`)
  }
  const { entropy, hostName, userName } = state
  const again = store.recover({ entropy, hostName, userName })
  if (again.outCount !== state.outCount) throw new Violation('disk', `${machine.id} would send ${again.outCount} again`)
  for (const [key, stream] of state.inStreams)
    if (stream.next !== (again.inStreams.get(key)?.next ?? 0))
      throw new Violation('disk', `${machine.id} would take ${key} from another place`)
  for (const [id, stream] of state.outStreams)
    if (stream.nextSeq !== (again.outStreams.get(id)?.nextSeq ?? 0))
      throw new Violation('disk', `${machine.id} would go on with ${id} at another place`)
  for (const agent of state.agents.values())
    if (again.agents.get(nameKey(agent.name))?.waiting.size !== agent.waiting.size)
      throw new Violation('disk', `${machine.id} would hand over to ${agent.name} again`)
}
