/** Help, generated from the commands' metadata. */
import type { Command, Option } from './command.ts'
import { optionsOf } from './parse.ts'

const usageLine = (command: Command): string =>
  [
    'agent-relay',
    command.name,
    command.usage,
    Object.keys(command.options ?? {}).length > 0 ? '[options]' : undefined,
    command.takesRest ? `-- ${command.takesRest}` : undefined,
  ]
    .filter((part) => part !== undefined && part !== '')
    .join(' ')

/** The list of all commands. */
export function overview(all: Command[], version: string): string {
  const rows = all.map((command) => [
    [command.name, command.usage, command.takesRest && `-- ${command.takesRest}`].filter(Boolean).join(' '),
    command.summary,
  ])
  return [
    `agent-relay ${version}: agents on all machines of your organization message each other`,
    '',
    'Commands:',
    ...table(rows),
    '',
    'agent-relay COMMAND --help tells more. Begin with: agent-relay run Alice -- COMMAND',
  ].join('\n')
}

/** Everything about one command. */
export function commandHelp(command: Command): string {
  const options = Object.entries(optionsOf(command)).map(([name, option]) => [optionUsage(name, option), option.help])
  return [
    command.summary,
    '',
    `Usage: ${usageLine(command)}`,
    ...(command.details ? ['', command.details] : []),
    '',
    'Options:',
    ...table(options),
    ...(command.examples ? ['', 'Examples:', ...command.examples.map((example) => `  ${example}`)] : []),
  ].join('\n')
}

function optionUsage(name: string, option: Option): string {
  if (option.kind === 'choice') return `--${name}[=${option.choices.join('|')}]`
  const words = option.short ? `-${option.short}, --${name}` : `--${name}`
  return option.kind === 'value' ? `${words} ${option.placeholder}` : words
}

function table(rows: (string | undefined)[][]): string[] {
  const width = Math.max(...rows.map(([left = '']) => Math.min(left.length, 36)))
  return rows.map(([left = '', right = '']) =>
    left.length > width ? `  ${left}\n  ${' '.repeat(width)}  ${right}` : `  ${left.padEnd(width)}  ${right}`,
  )
}
