import type { ChannelHistory } from '@agent-relay/protocol'
import type { ChannelView } from '@agent-relay/protocol/local'
import { frameMessage } from '../text/frame.ts'
import { visibleText } from '../text/plain-text.ts'
import { defineCommand } from './command.ts'
import { withDaemon } from './daemon-connection.ts'
import { EXIT, UsageError } from './exit.ts'
import type { Io } from './io.ts'
import { alignColumns } from './table.ts'

export const command = defineCommand({
  name: 'channels',
  summary: 'the channels of the organization, or what was said in one',
  usage: '[CHANNEL]',
  options: {
    limit: { kind: 'value', placeholder: 'N', help: 'the newest N messages of CHANNEL (default 20, at most 50)' },
    before: { kind: 'value', placeholder: 'ID', help: 'those that came before this message' },
  },
  hasJson: true,
  details:
    "Without CHANNEL: every channel with its members. With it, its history as the control plane keeps it; '#name' needs quotes in a shell.",
  examples: ['agent-relay channels', "agent-relay channels '#ops' --limit 5"],
  run: ({ args: [channel], options }, io) =>
    withDaemon(async (connection) => {
      if (channel === undefined) {
        const { channels } = await connection.request('channels', {})
        if (options.json) io.printJson({ channels })
        else if (channels.length === 0) io.say("No channels yet. Next: agent-relay join '#general' --as NAME")
        else printChannels(channels, io)
        return EXIT.ok
      }
      const limit = limitOf(options.limit)
      const before = options.before === undefined ? {} : { before: options.before }
      const history = await connection.request('channel.history', { channel, limit, ...before })
      if (options.json) io.printJson(history)
      else printHistory(history, connection.agent !== null, io)
      return EXIT.ok
    }),
})

function printChannels(channels: ChannelView[], io: Io): void {
  const rows = channels.map(({ name, topic, agents, people }) => [
    io.paint('bold', `#${name}`),
    [...agents, ...people.map((handle) => `@${handle}`)].join(', ') || '-',
    topic === null ? '-' : visibleText(topic),
  ])
  for (const line of alignColumns([['CHANNEL', 'MEMBERS', 'TOPIC'], ...rows])) io.print(line)
}

/** An agent gets each message in the frame that says whose words these are not; a person a head line and the text. */
function printHistory({ channel, messages, next }: ChannelHistory, isAgent: boolean, io: Io): void {
  if (messages.length === 0) io.say(`Nothing was said in #${channel} yet.`)
  for (const { sentAt, fromMachine, ...message } of messages) {
    const where = fromMachine ?? 'dashboard'
    const framed = { ...message, fromMachine: where, to: `#${channel}`, via: `#${channel}`, ts: sentAt }
    if (isAgent) io.print(frameMessage(framed, { isRedelivered: false, maxBodyBytes: 256 * 1024 }).trimEnd())
    else
      io.print(
        `${io.paint('bold', message.from)}@${where}  ${new Date(sentAt).toLocaleString('sv')}  ${io.paint('dim', message.id)}\n${visibleText(message.body)}\n`,
      )
  }
  if (next !== null) io.say(`For what came before: agent-relay channels '#${channel}' --before ${next}`)
}

function limitOf(text: string | undefined): number {
  const limit = text === undefined ? 20 : Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= 50) return limit
  throw new UsageError(`--limit takes a number from 1 to 50, and got ${JSON.stringify(text)}.`, 'channels')
}
