/** `dead`: messages sent from here that failed, until somebody sends them again or lets them go. */
import { nameKey } from '@agent-relay/protocol'
import type { LocalRequest, LocalResults } from '@agent-relay/protocol/local'
import type { Answer, DeadLetter } from '../core/turn.ts'
import { fromWire, RelayError } from '../errors.ts'
import type { Service } from './context.ts'
import { damageNotice } from './damage.ts'
import { findMessage } from './find-message.ts'
import { committed, LIMIT, listed } from './history.ts'
import { sentView } from './views.ts'

type Request<T extends LocalRequest['type']> = Omit<Extract<LocalRequest, { type: T }>, 'type' | 'id'>
/** `agentKey`: an agent sees and decides over what it sent; null for the person, who does over everything of this machine. */
type Speaker = string | null

/** Open dead letters, newest last. */
export async function listDead(
  service: Service,
  { limit = LIMIT }: Request<'dead'>,
  speaker: Speaker,
): Promise<LocalResults['dead']> {
  await committed(service)
  const state = service.engine.state()
  const rows = service.store.read.deadLetters(speaker, limit)
  const notice = damageNotice(service.store)
  return {
    entries: rows.reverse().map((row) => listed(state, row, service.engine.now())),
    ...(notice !== undefined && { notice }),
  }
}

/** Sends it again as a new message; asked twice it answers with the same one. */
export async function retryDead(
  service: Service,
  request: Request<'dead.retry'>,
  speaker: Speaker,
): Promise<LocalResults['dead.retry']> {
  await committed(service)
  const { id, letter } = letterOf(service, request.message, speaker)
  const answer = await settled(service, { type: 'retry', id, letter })
  if (answer.type !== 'retried') throw new Error(`retry was answered by ${answer.type}`)
  await committed(service)
  const row = service.store.read.byId(answer.as)
  if (row === undefined) throw new Error(`the message ${answer.as} was committed and is not there`)
  return { message: sentView(service.engine.state(), row, service.engine.now()), retryOf: id }
}

/** Without a message: all of them. */
export async function dropDead(
  service: Service,
  request: Request<'dead.drop'>,
  speaker: Speaker,
): Promise<LocalResults['dead.drop']> {
  await committed(service)
  const letters =
    request.message !== undefined
      ? [letterOf(service, request.message, speaker)]
      : service.store.read.deadLetters(speaker, -1).map(({ id }) => letterOf(service, id, speaker))
  await Promise.all(letters.map(({ id, letter }) => settled(service, { type: 'drop', id, letter })))
  return { dropped: letters.length }
}

function letterOf(service: Service, text: string, speaker: Speaker): { id: string; letter: DeadLetter | undefined } {
  const { id, fromAgent } = findMessage(service, text)
  if (speaker !== null && speaker !== nameKey(fromAgent))
    throw new RelayError(
      'FORBIDDEN',
      `Message ${id} was sent by ${fromAgent}: that agent or the person of this machine decides what becomes of it.`,
    )
  return { id, letter: service.store.read.deadLetter(id) }
}

type Decision = { type: 'retry' | 'drop'; id: string; letter: DeadLetter | undefined }

async function settled(service: Service, decision: Decision): Promise<Answer> {
  const answer = await new Promise<Answer>((reply) => service.engine.submit({ ...decision, reply }))
  if (answer.type === 'error') throw fromWire(answer.error)
  return answer
}
