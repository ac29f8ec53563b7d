/** The command line with only `up`, in one file as hot.ts and for the same reason: somebody waits for it. */
import { start } from './start.ts'
import { command as up } from './up.ts'

start({ up: async () => up })
