import type { HistoryEntry } from '@agent-relay/protocol/local'
import type { z } from 'zod'
import { frameMessage } from '../text/frame.ts'
import { visibleText } from '../text/plain-text.ts'
import { defineCommand } from './command.ts'
import { withDaemon } from './daemon-connection.ts'
import { EXIT } from './exit.ts'
import type { Paint } from './io.ts'
import { alignColumns } from './table.ts'

type Entry = z.infer<typeof HistoryEntry>

export const command = defineCommand({
  name: 'read',
  summary: 'one message, whole',
  usage: 'ID',
  hasJson: true,
  details:
    'ID is a message id or its first characters, as inbox and history print it. Its sender is told that it was seen when its own\nrecipient reads it, and only then. With --json the text is as it was sent; without, it has nothing in it that a terminal obeys.',
  examples: ['agent-relay read 019abc12', 'agent-relay read 019abc12 --json | jq -r .entry.message.body'],
  async run({ args: [message = ''], options }, io) {
    return withDaemon(async (connection) => {
      const { entry } = await connection.request('read', { message })
      const isFromMe = connection.agent?.toLowerCase() === entry.message.from.toLowerCase()
      if (options.json) io.printJson({ entry })
      else if (connection.agent !== null && !isFromMe)
        io.print(frameMessage(entry.message, { isRedelivered: false, maxBodyBytes: 256 * 1024 }).trimEnd())
      else for (const line of wholeLines(entry, connection.agent !== null, io.paint)) io.print(line)
      return EXIT.ok
    })
  },
})

/** `isIndented`: no line of the text begins where a reader of an agent's output looks for one to send. */
function wholeLines(entry: Entry, isIndented: boolean, paint: Paint): string[] {
  const { message, toMachine, note, retryOf, retriedAs } = entry
  const via = message.via === undefined ? '' : ` by ${message.via}`
  const rows: [string, string | undefined][] = [
    ['from', `${message.from}@${message.fromMachine}${message.fromPerson ? `, ${message.fromPerson}` : ''}`],
    ['to', `${message.to}@${toMachine}${via}`],
    ['at', new Date(entry.at).toLocaleString('sv')],
    ['thread', message.thread],
    ['answers', message.replyTo],
    ['state', note ?? entry.state],
    ['retries', retryOf],
    ['sent as', retriedAs],
    ['id', message.id],
  ]
  const known = rows.filter((row): row is [string, string] => row[1] !== undefined)
  const head = alignColumns(known.map(([name, value]) => [paint('dim', name), visibleText(value).replace(/\s+/g, ' ')]))
  const text = visibleText(message.body).split('\n')
  return [...head, '', ...(isIndented ? text.map((line) => `    ${line}`) : text)]
}
