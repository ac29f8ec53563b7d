/** `agent:NAMEKEY` or `channel:NAMEKEY`, as it stands in URLs. */
import { nameKey } from '@agent-relay/protocol'
import { DomainError } from '#lib/errors.ts'

export type ConversationKey = { kind: 'agent' | 'channel'; key: string }

export const conversationKey = (kind: ConversationKey['kind'], name: string): string => `${kind}:${nameKey(name)}`

/** @throws DomainError NOT_FOUND for a text that is no key */
export function readKey(text: string): ConversationKey {
  const found = /^(agent|channel):([a-z0-9][a-z0-9_-]{0,63})$/.exec(text.toLowerCase())
  if (found) return { kind: found[1] as ConversationKey['kind'], key: found[2] as string }
  throw new DomainError(
    'NOT_FOUND',
    `There is no conversation ${JSON.stringify(text.slice(0, 80))}: open one from the inbox.`,
  )
}

/** The beginning of a message as one line of a list. */
export function previewOf(body: string, chars: number): string {
  const line = body.replace(/\s+/g, ' ').trim()
  return line.length <= chars ? line : `${line.slice(0, chars - 1).toWellFormed()}…`
}
