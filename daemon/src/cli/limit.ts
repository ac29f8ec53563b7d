import { UsageError } from './exit.ts'

/** How many messages a list asks for. Throws UsageError for what is no number from 1 to 1000. */
export function limitOf(command: string, text: string | undefined): number {
  const limit = text === undefined ? 50 : Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= 1000) return limit
  throw new UsageError(`--limit takes a number from 1 to 1000, and got ${JSON.stringify(text)}.`, command)
}
