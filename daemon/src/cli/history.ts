import { defineCommand } from './command.ts'
import { withDaemon } from './daemon-connection.ts'
import { EXIT } from './exit.ts'
import { limitOf } from './limit.ts'
import { listLines } from './message-list.ts'

export const command = defineCommand({
  name: 'history',
  summary: 'what was sent and received on this machine',
  options: {
    search: {
      kind: 'value',
      placeholder: 'WORDS',
      help: 'only texts with all of these words; the last may be a beginning',
    },
    with: { kind: 'value', placeholder: 'NAME', help: 'only from or to this agent, #channel or @person' },
    thread: { kind: 'value', placeholder: 'ID', help: 'only this conversation' },
    before: { kind: 'value', placeholder: 'ID', help: 'only what is older than this message' },
    limit: { kind: 'value', placeholder: 'N', help: 'the newest N messages (default 50)' },
  },
  hasJson: true,
  details:
    'Newest last. An agent under agent-relay run sees what it sent and received itself. Words are found without case and accents;\n"two words" in quotes stand together. Whole texts: agent-relay read ID. Kept for 30 days: AGENT_RELAY_HISTORY=90d keeps more.',
  examples: ['agent-relay history --with Bob', 'agent-relay history --search \'migration "drop table"\''],
  async run({ options }, io) {
    const limit = limitOf('history', options.limit)
    const { search, with: party, thread, before } = options
    const { entries, notice } = await withDaemon((connection) =>
      connection.request('history', {
        limit,
        ...(search !== undefined && { search }),
        ...(party !== undefined && { with: party }),
        ...(thread !== undefined && { thread }),
        ...(before !== undefined && { before }),
      }),
    )
    if (options.json) io.printJson({ entries, ...(notice !== undefined && { notice }) })
    else if (entries.length > 0) for (const line of listLines(entries, io)) io.print(line)
    else if (search === undefined && party === undefined && thread === undefined)
      io.say('Nothing was sent or received yet. Next: agent-relay send NAME TEXT')
    else io.say('No message is like that. Next: agent-relay history')
    if (notice !== undefined) io.say(`Note: ${notice}`)
    return EXIT.ok
  },
})
