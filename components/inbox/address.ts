/** How a conversation is named in an address of the page, and how one writes to it. Pure. */
import type { ConversationRow } from '#lib/trpc/views.ts'

type Named = Pick<ConversationRow, 'kind' | 'name'>

/** Names are matched without case, so both spellings are one conversation. */
export const keyOf = ({ kind, name }: Named): string => `${kind}:${name.toLowerCase()}`

/** What one writes to: `Bob`, `#ops`. */
export const addressOf = ({ kind, name }: Named): string => (kind === 'channel' ? `#${name}` : name)

/** The address that a key stands for, before the conversation itself is known. */
export const addressOfKey = (key: string): string => key.replace(/^agent:/, '').replace(/^channel:/, '#')
