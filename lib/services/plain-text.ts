/** Text that Postgres takes: it refuses NUL in text, and NUL and lone surrogates in jsonb, which JSON and JavaScript allow. */
export const plainText = (text: string): string => text.replaceAll('\0', '\u{fffd}').toWellFormed()

/** The same for every string within a value; for jsonb parameters. */
export const plainJson = (value: unknown): string =>
  JSON.stringify(value, (_, part) => (typeof part === 'string' ? plainText(part) : part))
