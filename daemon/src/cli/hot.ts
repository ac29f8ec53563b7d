/** The command line with only the command that agents run all day: one small file, because every file that Node opens costs a millisecond. */
import { command as send } from './send.ts'
import { start } from './start.ts'

start({ send: async () => send })
