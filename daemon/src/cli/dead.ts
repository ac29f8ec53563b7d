import type { Connection } from '../client/connection.ts'
import { defineCommand } from './command.ts'
import { withDaemon } from './daemon-connection.ts'
import { EXIT, UsageError } from './exit.ts'
import type { Io } from './io.ts'
import { limitOf } from './limit.ts'
import { listLines } from './message-list.ts'

export const command = defineCommand({
  name: 'dead',
  summary: 'messages from here that failed: see them, send one again, let it go',
  usage: '[retry|drop] [ID]',
  options: {
    all: { kind: 'flag', help: 'with drop: all of them' },
    limit: { kind: 'value', placeholder: 'N', help: 'the newest N (default 50)' },
  },
  hasJson: true,
  details:
    'retry sends it again as a new message to the same recipient; asked twice, it answers with the same one. drop takes it off this\nlist and changes nothing else. What failed stays here for 30 days. An agent under agent-relay run sees its own.',
  examples: ['agent-relay dead', 'agent-relay dead retry 019abc12', 'agent-relay dead drop --all'],
  async run({ args: [verb, id], options }, io) {
    const limit = limitOf('dead', options.limit)
    check(verb, id, options.all)
    return withDaemon(async (connection) => {
      if (verb === 'retry') return retry(connection, { id: id as string, isJson: options.json === true }, io)
      if (verb === 'drop') return drop(connection, { id, isJson: options.json === true }, io)
      const { entries, notice } = await connection.request('dead', { limit })
      if (options.json) io.printJson({ entries, ...(notice !== undefined && { notice }) })
      else if (entries.length === 0) io.say('No message of this machine is dead.')
      else {
        for (const line of listLines(entries, io)) io.print(line)
        io.say('Next: agent-relay dead retry ID, or agent-relay dead drop ID')
      }
      if (notice !== undefined) io.say(`Note: ${notice}`)
      return EXIT.ok
    })
  },
})

type Wish<Id> = { id: Id; isJson: boolean }

async function retry(connection: Connection, { id, isJson }: Wish<string>, io: Io): Promise<number> {
  const { message, retryOf } = await connection.request('dead.retry', { message: id })
  if (isJson) io.printJson({ id: message.id, retryOf, messages: [message] })
  else io.print(message.id)
  io.say(`${message.agent} (${message.machine}) ${message.note}`)
  return message.state === 'failed' ? EXIT.failure : EXIT.ok
}

async function drop(connection: Connection, { id, isJson }: Wish<string | undefined>, io: Io): Promise<number> {
  const { dropped } = await connection.request('dead.drop', { ...(id !== undefined && { message: id }) })
  if (isJson) io.printJson({ dropped })
  else io.say(dropped === 1 ? '1 message let go.' : `${dropped} messages let go.`)
  return EXIT.ok
}

function check(verb: string | undefined, id: string | undefined, isAll: boolean): void {
  const wrong = (text: string): UsageError => new UsageError(text, 'dead')
  if (verb !== undefined && verb !== 'retry' && verb !== 'drop')
    throw wrong(`dead takes retry or drop, and got ${JSON.stringify(verb.slice(0, 80))}.`)
  if (isAll && (verb !== 'drop' || id !== undefined)) throw wrong('--all goes with dead drop, without an ID.')
  if (verb !== undefined && id === undefined && !isAll)
    throw wrong(`dead ${verb} needs an ID${verb === 'drop' ? ', or --all' : ''}.`)
}
