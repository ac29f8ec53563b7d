import { defineCommand } from './command.ts'
import { withDaemon } from './daemon-connection.ts'
import { EXIT } from './exit.ts'

export const command = defineCommand({
  name: 'leave',
  summary: "no longer get a channel's messages",
  usage: 'CHANNEL',
  options: { as: { kind: 'value', placeholder: 'NAME', help: 'the agent of this machine that leaves' } },
  hasJson: true,
  details: "CHANNEL is '#name', in quotes because of the shell, or name. What already waits in the inbox stays there.",
  examples: ["agent-relay leave '#ops' --as Bob"],
  run: ({ args: [channel = ''], options }, io) =>
    withDaemon(async (connection) => {
      const left = await connection.request('channel.leave', { channel, ...(options.as && { agent: options.as }) })
      if (options.json) io.printJson(left)
      else io.print(`${left.agent} is not in #${left.channel}`)
      return EXIT.ok
    }),
})
