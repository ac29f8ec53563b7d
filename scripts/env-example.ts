/** `node scripts/env-example.ts`: writes .env.example from lib/env.ts, the only place that describes a variable. */
import { writeFileSync } from 'node:fs'
import { z } from 'zod'
import { envSchema } from '#lib/env.ts'

type Meta = { description: string; group: string; secret?: boolean; example?: string }

const intro =
  '# Every variable of the control plane; all of them are optional. Copy this file to .env and set what you need.\n'

/** The text of .env.example: every variable commented out, with its default or an example. */
export function envExample(): string {
  const groups = new Map<string, string[]>()
  for (const [name, schema] of Object.entries(envSchema.shape)) {
    const { description, group, example } = (schema as z.ZodType).meta() as Meta
    const standard = schema instanceof z.ZodDefault ? String(schema.def.defaultValue) : undefined
    const lines = groups.get(group) ?? []
    lines.push(`# ${description}\n#${name}=${standard ?? example ?? ''}\n`)
    groups.set(group, lines)
  }
  const sections = [...groups].map(([group, lines]) => `# --- ${group} ---\n\n${lines.join('\n')}`)
  return [intro, ...sections].join('\n')
}

if (import.meta.main) writeFileSync('.env.example', envExample())
