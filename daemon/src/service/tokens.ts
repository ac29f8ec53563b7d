/** Proof that a connection may speak as an agent: the token's hash, compared in constant time. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { nameKey } from '@agent-relay/protocol'
import type { State } from '../core/state.ts'
import { RelayError } from '../errors.ts'

export const hashToken = (token: string): string => createHash('sha256').update(token).digest('hex')

const NOBODY = hashToken('')

/** The agent's key, when the token is its. Throws UNAUTHENTICATED otherwise. */
export function provedAgent(state: State, { name, token }: { name: string; token: string }): string {
  const agent = state.agents.get(nameKey(name))
  // Compared even when there is no such agent: the answer's time says nothing about names.
  const isRight = timingSafeEqual(Buffer.from(hashToken(token)), Buffer.from(agent?.tokenHash ?? NOBODY))
  if (agent !== undefined && isRight) return agent.key
  throw new RelayError(
    'UNAUTHENTICATED',
    `The token given is not that of ${JSON.stringify(name)} on this machine: register the name, such as with agent-relay run ${name} -- COMMAND.`,
  )
}
