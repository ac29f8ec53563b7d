import { resolve } from 'node:path'
import type { Push } from '../client/connection.ts'
import { childEnvironment } from '../home/env.ts'
import { defineCommand } from './command.ts'
import { connectToDaemon } from './daemon-connection.ts'
import { ensureDaemon } from './daemon-process.ts'
import { EXIT } from './exit.ts'
import { passThrough } from './pass-through.ts'
import { projectName, repositoryName } from './repository.ts'

export const command = defineCommand({
  name: 'run',
  summary: 'run a program as an agent',
  usage: 'NAME',
  takesRest: 'COMMAND…',
  options: {
    repo: { kind: 'value', placeholder: 'PATH', help: 'the folder to run in (default: this one)' },
    project: { kind: 'value', placeholder: 'P', help: "the project it belongs to (default: the repository's name)" },
    model: { kind: 'value', placeholder: 'M', help: 'the model it uses, for others to see' },
    detach: { kind: 'flag', help: 'go on without this terminal' },
  },
  details:
    "What it prints as ->relay:NAME text, or as ->relay:NAME <<< … >>> on lines of their own, is sent; what others send it comes on\nits standard input in a frame. A backslash before ->relay: prints it plainly. Starts the daemon when none runs.\nThe exit code is the program's own; 128 and the signal when one ended it.",
  examples: ['agent-relay run Alice -- claude', 'agent-relay run Bob --project api -- ./worker.sh'],
  async run({ args: [name = ''], rest, options }, io) {
    const { isNew } = await ensureDaemon()
    if (isNew) io.say('agent-relay: the daemon was down and is up now.')
    const pushes: Push[] = []
    let take = (push: Push): void => void pushes.push(push)
    // A run inside an agent is a new agent of the same person, not that agent.
    const connection = await connectToDaemon({ asPerson: true, onPush: (push) => take(push) })
    const repo = resolve(options.repo ?? '.')
    const repository = repositoryName(repo)
    const project = options.project ?? projectName(repository)
    const isTerminal = process.stdin.isTTY === true && process.stdout.isTTY === true
    const asked = connection.request('run', {
      name,
      command: rest,
      cwd: repo,
      env: childEnvironment(),
      ...(repository && { repository: repository.slice(0, 200) }),
      ...(project && { project }),
      ...(options.model !== undefined && { model: options.model }),
      ...(isTerminal && !options.detach && { cols: process.stdout.columns, rows: process.stdout.rows }),
      ...(options.detach && { isDetached: true }),
    })
    const { pid } = await asked.catch((error: unknown) => {
      connection.close()
      throw error
    })
    if (options.detach) {
      connection.close()
      io.print(String(pid))
      io.say(`${name} runs without this terminal (pid ${pid}). To end it: kill ${pid}`)
      return EXIT.ok
    }
    return passThrough(connection, isTerminal, (handler) => {
      take = handler
      for (const push of pushes.splice(0)) handler(push)
    })
  },
})
