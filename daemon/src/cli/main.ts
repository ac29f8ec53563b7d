/** The command line with every command. */
import { commands } from './commands.ts'
import { start } from './start.ts'

await start(commands)
