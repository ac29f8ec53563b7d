/** What stands after `->relay:` on its line: address, options, and the body or `<<<`. */
import { MAX_TTL_MS, parseAddress, parseDuration } from '@agent-relay/protocol'

/** Without `body` a block begins. */
export type Opening = { to: string; thread?: string; ttlMs?: number; body?: string }
export type BadOpening = { to: string; reason: string }

/** Reads the rest of an opening line. Only `thread` and `ttl` in brackets are options; any other bracket is text. */
export function readOpening(rest: string): Opening | BadOpening {
  const to = /^\S*/.exec(rest)?.[0] ?? ''
  const address = parseAddress(to)
  if (to === '') return { to: '?', reason: 'an address must follow "->relay:" at once, as in "->relay:Bob hello"' }
  if (!address.ok) return { to, reason: address.reason }
  const opening: Opening = { to }
  let text = rest.slice(to.length).trim()
  for (;;) {
    const option = /^\[(thread|ttl)=([^\]]*)\]\s*/.exec(text)
    if (!option) break
    const [whole, key, value = ''] = option
    if (key === 'thread') {
      if (value === '' || value.length > 100) return { to, reason: 'a thread is 1 to 100 characters' }
      opening.thread = value
    } else {
      const ttlMs = parseDuration(value)
      if (ttlMs === undefined || ttlMs > MAX_TTL_MS)
        return { to, reason: `ttl=${value} is not a time to live: write 30s, 5m, 12h or at most 30d` }
      opening.ttlMs = ttlMs
    }
    text = text.slice(whole.length)
  }
  if (text === '<<<') return opening
  if (text.startsWith('<<<') && text.endsWith('>>>')) return { ...opening, body: text.slice(3, -3).trim() }
  if (text.startsWith('<<<')) return { to, reason: 'the text of a block begins on the line after "<<<"' }
  return { ...opening, body: text }
}
