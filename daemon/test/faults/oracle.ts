/**
 * The one judge of every fault test. Each message that was answered as queued is exactly once in the right inbox, in the
 * order of its sending, or its sender was told exactly once that it failed; nothing else arrives; after quiet nothing waits
 * anywhere; every message was handed to its agent, and a repeat said so.
 */

import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { nameKey } from '@agent-relay/protocol'
import { createReader, type StoredMessage } from '../../src/store/reader.ts'
import { type Agent, type Attempt, keyOf } from './agent.ts'
import { asking, type Machine } from './machine.ts'
import { QUIET_MS, within } from './program.ts'
import type { Scene } from './scene.ts'

/** What the oracle looks at. */
type Judged = Pick<Scene, 'agents' | 'bell' | 'mail'> & { machines: Machine[] }

/** From whom the daemon's own notices come. */
const RELAY = '[relay]'
const LOOK_MS = 50

/** Waits until nothing moves any more and says what is wrong then; empty when all is well. Everything runs and is healed. */
export async function verdict(scene: Judged, quietMs = QUIET_MS): Promise<string[]> {
  const stuck = await within(quietMs, quiet(scene), () => 'quiet').then(
    () => [],
    async () => [`not quiet within ${quietMs} ms`, ...(await leftovers(scene))],
  )
  const inboxes = new Map<Agent, StoredMessage[]>()
  for (const agent of scene.agents) inboxes.set(agent, inboxOf(agent))
  return [
    ...stuck,
    ...scene.agents.flatMap((agent) => agent.troubles),
    ...scene.agents.flatMap((agent) => judgeInbox(agent, inboxes.get(agent) as StoredMessage[], scene.agents)),
    ...scene.agents.flatMap((agent) => judgeSent(agent, inboxes)),
  ]
}

/** Nothing waits: not in an outbox, not for an agent, not in the control plane. */
async function quiet(scene: Judged): Promise<void> {
  for (const { attempts } of scene.agents) await scene.bell.until(() => attempts.every(({ fate }) => fate !== 'asked'))
  while ((await leftovers(scene)).length > 0) await delay(LOOK_MS)
}

async function leftovers(scene: Judged): Promise<string[]> {
  const left: string[] = []
  for (const machine of scene.machines) {
    const { queued, control } = await machine.status()
    if (queued > 0) left.push(`${machine.name}: ${queued} queued (${control.state}, ${control.reason})`)
    const { agents } = await asking(machine.socket, (connection) => connection.request('agents', {}))
    for (const { name, waiting, isHere } of agents)
      if (isHere && waiting > 0) left.push(`${machine.name}: ${waiting} wait for ${name}`)
    const mail = await scene.mail(machine)
    if (mail.length > 0) left.push(`${machine.name}: ${mail.length} in its mailbox: ${mail.slice(0, 5).join('; ')}`)
  }
  return left
}

/** What is on the recipient's disk, in the order of its inbox. */
function inboxOf({ machine, name }: Agent): StoredMessage[] {
  const db = new DatabaseSync(machine.db, { readOnly: true })
  try {
    return createReader(db).inbox(nameKey(name), { after: 0, limit: 1_000_000 })
  } finally {
    db.close()
  }
}

/** What stands in an inbox was sent so, once, in order, and was handed over. */
function judgeInbox(agent: Agent, inbox: StoredMessage[], everybody: Agent[]): string[] {
  const wrong: string[] = []
  const attempts = new Map(everybody.flatMap(({ attempts }) => attempts.map((one) => [`${one.route} ${one.k}`, one])))
  const lastOf = new Map<string, number>()
  const seen = new Set<string>()
  for (const message of inbox) {
    if (seen.has(message.id)) wrong.push(`${agent.name} has ${message.id} twice`)
    seen.add(message.id)
    if (message.fromAgent === RELAY) continue
    const attempt = attempts.get(keyOf(message.body))
    const where = `${agent.name}'s inbox: ${message.body.slice(0, 40)} (${message.id})`
    if (attempt === undefined || attempt.route !== `${message.fromAgent}>${agent.name}`)
      wrong.push(`${where} is not sent so`)
    else {
      if (attempt.fate === 'refused') wrong.push(`${where} was refused to its sender`)
      if (attempt.id !== undefined && attempt.id !== message.id) wrong.push(`${where} was queued as ${attempt.id}`)
      if (attempt.k <= (lastOf.get(attempt.route) ?? 0)) wrong.push(`${where} comes after ${lastOf.get(attempt.route)}`)
      lastOf.set(attempt.route, attempt.k)
    }
  }
  return [...wrong, ...judgeHandOver(agent, seen)]
}

function judgeHandOver(agent: Agent, inbox: Set<string>): string[] {
  const wrong: string[] = []
  const times = new Map<string, number>()
  for (const { id, isRepeat } of agent.handedOver) {
    const before = times.get(id) ?? 0
    times.set(id, before + 1)
    if (!inbox.has(id)) wrong.push(`${agent.name} was handed ${id}, which is not in its inbox`)
    if (before > 0 && !isRepeat) wrong.push(`${agent.name} was handed ${id} again as if it were new`)
  }
  for (const id of inbox) if (!times.has(id)) wrong.push(`${agent.name} was never handed ${id}`)
  return wrong
}

/** What was answered as queued arrived, or its sender knows better; never both. */
function judgeSent(agent: Agent, inboxes: Map<Agent, StoredMessage[]>): string[] {
  const own = inboxes.get(agent) as StoredMessage[]
  const notices = own.filter((message) => message.fromAgent === RELAY).map((message) => message.body)
  const arrived = new Set([...inboxes.values()].flatMap((inbox) => inbox.map(({ id }) => id)))
  const isToldOf = (attempt: Attempt) => notices.filter((body) => body.includes(attempt.id as string)).length
  const wrong: string[] = []
  let told = 0
  for (const attempt of agent.attempts) {
    if (attempt.fate !== 'queued') continue
    const isThere = arrived.has(attempt.id as string)
    const count = isThere && notices.length === 0 ? 0 : isToldOf(attempt)
    told += count
    if (!isThere && count === 0) wrong.push(`${attempt.route} ${attempt.k} (${attempt.id}) is lost`)
    if (isThere && count > 0)
      wrong.push(`${attempt.route} ${attempt.k} (${attempt.id}) arrived and is said to have failed`)
    if (count > 1) wrong.push(`${attempt.route} ${attempt.k} (${attempt.id}) is said to have failed ${count} times`)
  }
  // A notice about a message whose own answer was lost with the daemon names an id that only the daemon knew.
  const unknown = agent.attempts.filter(({ fate }) => fate === 'unknown').length
  if (notices.length - told > unknown)
    wrong.push(`${agent.name} has notices of nothing: ${notices.slice(0, 3).join(' | ')}`)
  return wrong
}
