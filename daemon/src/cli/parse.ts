/** Reads a command line by a command's metadata. Strict: what is not understood is an error with the nearest right word. */
import { parseArgs } from 'node:util'
import type { Command, Input, Option } from './command.ts'
import { UsageError } from './exit.ts'
import { nearest } from './nearest.ts'

const jsonOption: Option = { kind: 'flag', help: 'print JSON with a "version" field instead of text' }
const helpOption: Option = { kind: 'flag', short: 'h', help: 'show this help' }

/** All options of a command, with those that it gets for nothing. */
export const optionsOf = (command: Command): Record<string, Option> => ({
  ...command.options,
  ...(command.hasJson && { json: jsonOption }),
  help: helpOption,
})

/** Throws UsageError for anything that the command does not take. */
export function parseInput(command: Command, argv: string[]): Input {
  const options = optionsOf(command)
  const input: Input = { args: [], rest: [], options: {} }
  for (const [name, option] of Object.entries(options)) input.options[name] = option.kind === 'flag' ? false : undefined
  const end = argv.indexOf('--')
  const own = end < 0 ? argv : argv.slice(0, end)
  if (end >= 0 && !command.takesRest) input.args.push(...argv.slice(end + 1))
  else if (end >= 0) input.rest = argv.slice(end + 1)

  const config = Object.fromEntries(Object.entries(options).map(([name, option]) => [name, parserOption(option)]))
  const { tokens } = parseArgs({ args: own, options: config, strict: false, allowPositionals: true, tokens: true })
  const before: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') before.push(token.value)
    if (token.kind === 'option') readOption(token, options, input, command)
  }
  input.args.unshift(...before)
  if (input.options.help === true) return input
  checkArguments(command, input)
  return input
}

type OptionToken = { name: string; rawName: string; value?: string | undefined; inlineValue?: boolean | undefined }

function readOption(token: OptionToken, options: Record<string, Option>, input: Input, command: Command): void {
  const option = options[token.name]
  const wrong = (message: string) => new UsageError(message, command.name)
  if (!option) {
    const near = nearest(token.name, Object.keys(options))
    throw wrong(`${command.name} has no option ${token.rawName}${near ? `; did you mean --${near}?` : '.'}`)
  }
  if (option.kind === 'flag') {
    if (token.value !== undefined)
      throw wrong(`${token.rawName} takes no value, and got ${JSON.stringify(token.value)}.`)
    input.options[token.name] = true
  } else if (option.kind === 'choice') {
    const value = token.value ?? option.ifBare
    if (!option.choices.includes(value))
      throw wrong(`${token.rawName} takes ${option.choices.join(', ')}, and got ${JSON.stringify(value)}.`)
    input.options[token.name] = value
  } else {
    if (token.value === undefined || (!token.inlineValue && /^--./.test(token.value)))
      throw wrong(`${token.rawName} needs a value: ${token.rawName} ${option.placeholder}.`)
    input.options[token.name] = token.value
  }
}

const parserOption = (option: Option): { type: 'string' | 'boolean'; short?: string } => ({
  type: option.kind === 'value' ? 'string' : 'boolean',
  ...('short' in option && option.short && { short: option.short }),
})

function checkArguments(command: Command, input: Input): void {
  const words = (command.usage ?? '').split(' ').filter(Boolean)
  const missing = words[input.args.length]
  if (missing !== undefined && !missing.startsWith('['))
    throw new UsageError(`${command.name} needs ${missing}.`, command.name)
  const extra = input.args[words.length]
  if (extra !== undefined)
    throw new UsageError(
      `${command.name} does not take ${JSON.stringify(extra.slice(0, 80))}${words.length > 0 ? ` after ${words.join(' ')}` : ''}${command.takesRest ? `; the command line goes after "--"` : '.'}`,
      command.name,
    )
  if (command.takesRest && !command.takesRest.startsWith('[') && input.rest.length === 0)
    throw new UsageError(`${command.name} needs a command line after "--".`, command.name)
}
