import { defineCommand } from './command.ts'
import { withDaemon } from './daemon-connection.ts'
import { EXIT } from './exit.ts'

export const command = defineCommand({
  name: 'join',
  summary: "get a channel's messages",
  usage: 'CHANNEL',
  options: { as: { kind: 'value', placeholder: 'NAME', help: 'the agent of this machine that joins' } },
  hasJson: true,
  details:
    "CHANNEL is '#name', in quotes because of the shell, or name. A channel that does not exist is made.\nAn agent under agent-relay run joins as itself.",
  examples: ["agent-relay join '#ops' --as Bob"],
  run: ({ args: [channel = ''], options }, io) =>
    withDaemon(async (connection) => {
      const joined = await connection.request('channel.join', { channel, ...(options.as && { agent: options.as }) })
      if (options.json) io.printJson(joined)
      else io.print(`${joined.agent} ${joined.isNew ? 'made' : 'is in'} #${joined.channel}`)
      io.say(`Next: agent-relay send '#${joined.channel}' TEXT`)
      return EXIT.ok
    }),
})
