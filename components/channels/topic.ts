import { z } from 'zod'

const MAX_CHARS = 200

/** What a form makes of a topic: one line, or null for none. */
export const Topic = z
  .string()
  .trim()
  .max(MAX_CHARS, `a topic has at most ${MAX_CHARS} characters`)
  .transform((text) => (text === '' ? null : text))
