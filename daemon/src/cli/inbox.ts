import { setTimeout as pause } from 'node:timers/promises'
import type { InboxEntry } from '@agent-relay/protocol/local'
import type { z } from 'zod'
import type { Connection } from '../client/connection.ts'
import { frameMessage } from '../text/frame.ts'
import { visibleText } from '../text/plain-text.ts'
import { defineCommand } from './command.ts'
import { withDaemon } from './daemon-connection.ts'
import { EXIT } from './exit.ts'
import type { Io } from './io.ts'
import { limitOf } from './limit.ts'

type Entry = z.infer<typeof InboxEntry>

/** How often --follow asks for more: a glance at a local index. */
const FOLLOW_MS = 300

export const command = defineCommand({
  name: 'inbox',
  summary: 'what arrived for an agent of this machine',
  usage: '[NAME]',
  options: {
    follow: { kind: 'flag', help: 'go on printing what arrives' },
    limit: { kind: 'value', placeholder: 'N', help: 'the newest N messages (default 50)' },
  },
  hasJson: true,
  details:
    'Without NAME it is the inbox of whoever asks: an agent under agent-relay run its own, which marks what it reads as seen.\nWith --follow and --json every message is one line of JSON.',
  examples: ['agent-relay inbox', 'agent-relay inbox Bob --follow'],
  async run({ args: [name], options }, io) {
    const limit = limitOf('inbox', options.limit)
    return withDaemon(async (connection) => {
      const ask = (after?: string) =>
        connection.request('inbox', { limit, ...(name && { agent: name }), ...(after && { after }) })
      const { agent, entries, notice } = await ask()
      const print = (entry: Entry) => io.print(entryText(entry, connection, io))
      if (options.json && !options.follow) io.printJson({ agent, entries, ...(notice !== undefined && { notice }) })
      else if (options.json) for (const entry of entries) io.printJson({ agent, ...entry })
      else if (entries.length === 0) io.say(`Nothing has arrived for ${agent} yet.`)
      else for (const entry of entries) print(entry)
      if (notice !== undefined) io.say(`Note: ${notice}`)
      if (!options.follow) return EXIT.ok
      await follow(connection, { ask, last: entries.at(-1)?.message.id }, (entry) =>
        options.json ? io.printJson({ agent, ...entry }) : print(entry),
      )
      return EXIT.ok
    })
  },
})

type Following = { ask: (after?: string) => Promise<{ entries: Entry[] }>; last: string | undefined }

/** Until the daemon ends, which is an error of its own; Ctrl-C ends the process as ever. */
async function follow(connection: Connection, { ask, last }: Following, print: (entry: Entry) => void): Promise<void> {
  let isOpen = true
  void connection.closed.then(() => {
    isOpen = false
  })
  let after = last
  while (isOpen) {
    await pause(FOLLOW_MS)
    const { entries } = await ask(after)
    for (const entry of entries) print(entry)
    after = entries.at(-1)?.message.id ?? after
  }
}

/** An agent gets the frame that says whose words these are not; a person a head line and the text. */
function entryText({ message, state, acceptedAt }: Entry, connection: Connection, io: Io): string {
  if (connection.agent !== null)
    return frameMessage(message, { isRedelivered: false, maxBodyBytes: 256 * 1024 }).trimEnd()
  const via = message.via === undefined ? '' : ` (${message.via})`
  const thread = message.thread === undefined ? '' : `  thread ${visibleText(message.thread)}`
  const head = `${io.paint('bold', message.from)}@${message.fromMachine} → ${message.to}${via}  ${new Date(acceptedAt).toLocaleString('sv')}  ${state}${thread}`
  return `${head}  ${io.paint('dim', message.id)}\n${visibleText(message.body)}\n`
}
