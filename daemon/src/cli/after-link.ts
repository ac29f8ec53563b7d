/** What comes after a link: the daemon that runs takes it over, or one is offered. */
import type { HomePaths } from '../home/paths.ts'
import { askDaemon } from './ask-daemon.ts'
import type { Io } from './io.ts'

export async function afterLink(paths: HomePaths, io: Io): Promise<void> {
  if ((await askDaemon(paths, 'reload')) !== undefined) {
    io.say('The running daemon uses it now. Next: agent-relay run Alice -- COMMAND')
    return
  }
  io.say('Next: agent-relay up')
}
