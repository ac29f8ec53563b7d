/** The command line's front door: finds the command, reads the rest by its metadata, turns every failure into one line. */
import { RelayError } from '../errors.ts'
import type { Command } from './command.ts'
import { EXIT, exitCodeOf, UsageError } from './exit.ts'
import { type Io, processIo } from './io.ts'
import { parseInput } from './parse.ts'

/** Commands by name, each loaded when it is asked for. */
export type Commands = Record<string, () => Promise<Command>>

/** Runs this process's command line with these commands and sets its exit code. */
export async function start(commands: Commands): Promise<void> {
  const io = processIo()
  try {
    process.exitCode = await run(process.argv.slice(2), commands, io)
  } catch (error) {
    process.exitCode = explain(error, io)
  }
}

async function run(argv: string[], commands: Commands, io: Io): Promise<number> {
  const [name = '--help', ...rest] = argv
  if (name === '--version' || name === '-v') return showVersion(io)
  if (name === '--help' || name === '-h' || name === 'help')
    return rest[0] ? showHelp(await find(rest[0], commands), io) : showOverview(commands, io)
  const command = await find(name, commands)
  const input = parseInput(command, rest)
  return input.options.help === true ? showHelp(command, io) : command.run(input, io)
}

async function find(name: string, commands: Commands): Promise<Command> {
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (load) return load()
  if (name.startsWith('-')) throw new UsageError(`agent-relay has no option ${name}; options follow a command.`)
  const { nearest } = await import('./nearest.ts')
  const near = nearest(name, Object.keys(commands))
  throw new UsageError(
    `There is no command ${JSON.stringify(name.slice(0, 80))}${near ? `; did you mean agent-relay ${near}?` : '.'}`,
  )
}

async function showVersion(io: Io): Promise<number> {
  const { version } = await import('../version.ts')
  io.print(version)
  return EXIT.ok
}

async function showOverview(commands: Commands, io: Io): Promise<number> {
  const [{ overview }, { version }] = await Promise.all([import('./help.ts'), import('../version.ts')])
  io.print(overview(await Promise.all(Object.values(commands).map((load) => load())), version))
  return EXIT.ok
}

async function showHelp(command: Command, io: Io): Promise<number> {
  const { commandHelp } = await import('./help.ts')
  io.print(commandHelp(command))
  return EXIT.ok
}

/** One line for a person and the exit code; never a stack trace. */
function explain(error: unknown, io: Io): number {
  if (error instanceof UsageError) {
    io.say(`agent-relay: ${error.message}`)
    io.say(`Next: agent-relay ${error.command ? `${error.command} ` : ''}--help`)
    return EXIT.usage
  }
  if (error instanceof RelayError) {
    io.say(`agent-relay: ${error.message}`)
    return exitCodeOf(error.code)
  }
  const text = error instanceof Error ? error.message : String(error)
  io.say(`agent-relay: this should not happen: ${text.split('\n')[0]}. Next: agent-relay logs`)
  return EXIT.failure
}
