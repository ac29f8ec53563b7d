/** Taking names over the local socket: a token is made, kept in its 0600 file, and only its hash goes to the database. */
import { nameKey, toName } from '@agent-relay/protocol'
import type { LocalRequest, LocalResults } from '@agent-relay/protocol/local'
import type { AgentFacts, Answer } from '../core/turn.ts'
import { fromWire } from '../errors.ts'
import { makeToken, readToken, writeToken } from '../home/tokens.ts'
import type { Service } from './context.ts'
import { hashToken } from './tokens.ts'

type Register = Omit<Extract<LocalRequest, { type: 'register' }>, 'type' | 'id'>

/** Takes the name for this machine. Rejects with NAME_TAKEN when another machine holds it. */
export async function registerAgent(service: Service, request: Register): Promise<LocalResults['register']> {
  service.runs.mustBeFree(request.name)
  return register(service, { ...factsOf(request), name: request.name }, false)
}

/** The person's own name on this machine, taken the first time it is needed. */
export async function registerPerson(service: Service): Promise<string> {
  const known = service.personName()
  if (known !== null) return nameKey(known)
  service.registeringPerson ??= register(
    service,
    { ...factsOf({}), name: toName(service.engine.state().userName) ?? 'me' },
    true,
  ).finally(() => {
    service.registeringPerson = undefined
  })
  return nameKey((await service.registeringPerson).name)
}

async function register(service: Service, facts: AgentFacts, isPerson: boolean): Promise<LocalResults['register']> {
  const known = service.engine.state().agents.get(nameKey(facts.name))
  const kept = known === undefined ? undefined : readToken(service.paths, facts.name)
  // The same token as long as it is good: programs that hold it go on when the name is taken again.
  const token = kept !== undefined && hashToken(kept) === known?.tokenHash ? kept : makeToken()
  const answer = await new Promise<Answer>((reply) =>
    service.engine.submit({ type: 'register', reply, facts, tokenHash: hashToken(token), isPerson }),
  )
  if (answer.type === 'error') throw fromWire(answer.error)
  if (answer.type !== 'registered') throw new Error(`register was answered by ${answer.type}`)
  writeToken(service.paths, answer.name, token)
  return { name: answer.name, token, epoch: answer.epoch, claim: answer.claim }
}

const factsOf = (request: Partial<Register>): Omit<AgentFacts, 'name'> => ({
  project: request.project ?? null,
  repository: request.repository ?? null,
  model: request.model ?? null,
  client: request.client ?? null,
  capabilities: request.capabilities ?? [],
})
