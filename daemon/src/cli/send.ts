import { defineCommand } from './command.ts'
import { withDaemon } from './daemon-connection.ts'
import { bodyOf, readSendingOptions, sendAndTell, sendingOptions } from './sending.ts'

const { from, ...waiting } = sendingOptions

export const command = defineCommand({
  name: 'send',
  summary: 'send a message to an agent',
  usage: 'TO [TEXT|-]',
  options: {
    from,
    thread: { kind: 'value', placeholder: 'ID', help: 'the conversation it belongs to' },
    'reply-to': { kind: 'value', placeholder: 'ID', help: 'the message that it answers; see also reply' },
    ...waiting,
  },
  hasJson: true,
  details:
    "TO is Name, project:Name, project:*, * (your project), *:* (everybody), '#channel' or @person (in the dashboard).\nWithout TEXT, or with -, the text is read from stdin.\nReturns once the message is on this disk; prints its id. Exit 5: queued, but not as far as --wait asked within --timeout.\nExit 1 with --wait: it failed, and the reason is said.",
  examples: [
    'agent-relay send Bob "the API is up on port 4000"',
    'git diff | agent-relay send Bob - --wait=injected --timeout 1m',
  ],
  async run({ args: [to = '', text], options }, io) {
    const sending = readSendingOptions('send', options)
    const body = await bodyOf('send', text)
    return withDaemon(
      async (connection) => {
        const { thread, 'reply-to': answered } = options
        // Whole ids are taken as they are: the message may be one that this machine never had.
        const replyTo =
          answered === undefined || /^[0-9a-f-]{36}$/i.test(answered)
            ? answered?.toLowerCase()
            : (await connection.request('read', { message: answered })).entry.message.id
        return sendAndTell(connection, { to, body, thread, replyTo }, { io, ...sending })
      },
      { from: options.from },
    )
  },
})
