/** The shape of a command: metadata from which parsing, help and docs come, and what it does. */
import type { Io } from './io.ts'

export type Option =
  | { kind: 'flag'; help: string; short?: string }
  /** `placeholder` is what help shows for the value. */
  | { kind: 'value'; placeholder: string; help: string; short?: string }
  /** `--wait` or `--wait=seen`: bare means `ifBare`. */
  | { kind: 'choice'; choices: readonly string[]; ifBare: string; help: string }

export type Options = Record<string, Option>

export type Input<Values = Record<string, string | boolean | undefined>> = {
  /** Positional arguments, as many as `usage` allows. */
  args: string[]
  /** What follows `--`, untouched. */
  rest: string[]
  options: Values
}

/** A flag is there or not; anything else has its text or is missing. `json` counts as asked for only where it exists. */
type ValuesOf<O extends Options> = { [K in keyof O]: O[K]['kind'] extends 'flag' ? boolean : string | undefined } & {
  json?: boolean
}

type Definition<O extends Options> = {
  name: string
  /** One line for the list of commands. */
  summary: string
  /** Positional arguments as help shows them: `TO [TEXT|-]`. Capitals are required, brackets optional. */
  usage?: string
  /** Takes a command line after `--`; its placeholder in help. */
  takesRest?: string
  options?: O
  /** Adds `--json`, and with it `options.json`. */
  hasJson?: boolean
  /** More for `--help`: what a newcomer would ask. */
  details?: string
  examples?: string[]
  /** Resolves to the exit code; throws RelayError or UsageError for what a person must read. */
  run(input: Input<ValuesOf<O>>, io: Io): Promise<number>
}

export type Command = Omit<Definition<Options>, 'run'> & { run(input: Input, io: Io): Promise<number> }

/** Keeps the types of the options for `run` and forgets them for everybody else. */
export function defineCommand<const O extends Options = Record<never, never>>(definition: Definition<O>): Command {
  return definition as unknown as Command
}
