import { RelayError } from '../errors.ts'
import { defineCommand } from './command.ts'
import { withDaemon } from './daemon-connection.ts'
import { bodyOf, readSendingOptions, sendAndTell, sendingOptions } from './sending.ts'

export const command = defineCommand({
  name: 'reply',
  summary: 'answer a message, in its thread',
  usage: 'ID [TEXT|-]',
  options: sendingOptions,
  hasJson: true,
  details:
    'ID is a message id or its first characters, as inbox and history print it. The answer goes to who sent it; to your own message,\nto who got it. Without TEXT, or with -, the text is read from stdin. Exit codes are those of send.',
  examples: ['agent-relay reply 019abc12 "done, see branch api-v2"'],
  async run({ args: [id = '', text], options }, io) {
    const sending = readSendingOptions('reply', options)
    const body = await bodyOf('reply', text)
    return withDaemon(
      async (connection) => {
        const { message } = (await connection.request('read', { message: id })).entry
        const me = connection.agent ?? (await connection.request('whoami', {})).agent
        if (message.from === '[relay]')
          throw new RelayError(
            'BAD_REQUEST',
            `Message ${message.id} is a notice of the relay itself, which reads no answers. Next: agent-relay dead`,
          )
        const isMine = message.from.toLowerCase() === me?.toLowerCase()
        const to = isMine ? (message.via ?? message.to) : message.from
        return sendAndTell(connection, { to, body, thread: message.thread, replyTo: message.id }, { io, ...sending })
      },
      { from: options.from },
    )
  },
})
