/** What comes after a link: the daemon that runs takes it over, or one is offered. */
import { createInterface } from 'node:readline/promises'
import type { HomePaths } from '../home/paths.ts'
import type { Io } from './io.ts'
import { reloadDaemon } from './reload-daemon.ts'
import { command as up } from './up.ts'

/** Never asks without a terminal: then it says the command instead. */
export async function afterLink(paths: HomePaths, io: Io): Promise<void> {
  if (await reloadDaemon(paths)) {
    io.say('The running daemon uses it now. Next: agent-relay run Alice -- COMMAND')
    return
  }
  if (!io.canAsk) {
    io.say('Next: agent-relay up')
    return
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await terminal.question('Start the daemon now? [Y/n] ')
  terminal.close()
  if (/^(y|yes|)$/i.test(answer.trim())) await up.run({ args: [], rest: [], options: {} }, io)
  else io.say('Next: agent-relay up')
}
