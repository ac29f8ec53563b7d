import { pathToFileURL } from 'node:url'
import { defineCommand } from './command.ts'
import { withDaemon } from './daemon-connection.ts'
import { daemonFile, ensureDaemon } from './daemon-process.ts'
import { EXIT } from './exit.ts'

export const command = defineCommand({
  name: 'up',
  summary: 'start the daemon of this machine',
  options: { foreground: { kind: 'flag', help: 'stay in this process, for a service manager; ends with it' } },
  details: 'The daemon carries messages for every agent of this machine and user. Starting it twice does nothing.',
  async run({ options }, io) {
    if (options.foreground) {
      silenceSqliteWarning()
      await import(pathToFileURL(daemonFile()).href)
      // The daemon holds the process from here; its own exit code is the answer.
      return new Promise<never>(() => {})
    }
    const { isNew } = await ensureDaemon()
    const status = await withDaemon((connection) => connection.request('status', {}))
    const self = status.machines.find((machine) => machine.isSelf)?.name ?? 'this machine'
    const where = status.linked
      ? `${self} in ${status.linked.orgName}`
      : `${self}, not linked: serves this machine only. Next: agent-relay link`
    io.print(`agent-relay ${isNew ? 'is up' : 'was already up'} (pid ${status.pid}): ${where}`)
    return EXIT.ok
  },
})

function silenceSqliteWarning(): void {
  const emit = process.emitWarning.bind(process)
  process.emitWarning = ((warning: string | Error, ...rest: never[]) => {
    if (!String(warning).includes('SQLite is an experimental feature')) emit(warning, ...rest)
  }) as typeof process.emitWarning
}
