/** What the gateway and the jobs need of a pino logger. */
type Write = (fields: Record<string, unknown>, message: string) => void
export type Log = { info: Write; warn: Write; error: Write; debug: Write }
