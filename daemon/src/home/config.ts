/** config.json: to what this home is linked. It holds the machine key, so it is 0600 and its text goes nowhere else. */
import { chmodSync, readFileSync } from 'node:fs'
import { MachineId, MachineName, OrgId, PublicKey } from '@agent-relay/protocol'
import { z } from 'zod'
import { RelayError } from '../errors.ts'
import { codeOf, unwritable, writePrivate } from './files.ts'
import type { HomePaths } from './paths.ts'

export const Link = z.object({
  /** Origin of the control plane, such as https://relay.example.com. */
  url: z.url(),
  /** The machine key, `ar_live_…`. */
  key: z.string().min(1).max(200),
  machine: z.object({ id: MachineId, name: MachineName }),
  org: z.object({ id: OrgId, slug: z.string(), name: z.string() }),
  person: z.string(),
  /** ms since 1970. */
  linkedAt: z.int().nonnegative(),
  /** Plain http to another machine was allowed with --insecure-http. */
  isInsecure: z.boolean().optional(),
  /** The key by which this organization's rosters are signed, as the first control plane that signed any said it. */
  controlKey: PublicKey.optional(),
})
export type Link = z.infer<typeof Link>

const Config = z.object({ v: z.literal(1), link: Link.nullable() })
export type Config = z.infer<typeof Config>

/** The configuration; an unlinked one when there is no file. Throws a RelayError that names a broken file and its fault. */
export function readConfig(paths: HomePaths): Config {
  let text: string
  try {
    text = readFileSync(paths.config, 'utf8')
    if (process.platform !== 'win32') chmodSync(paths.config, 0o600)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return { v: 1, link: null }
    throw unwritable(paths.config, error)
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw broken(paths, 'it is not JSON')
  }
  const version = (value as { v?: unknown } | null)?.v
  if (typeof version === 'number' && version > 1)
    throw new RelayError(
      'VERSION_UNSUPPORTED',
      `${paths.config} was written by a newer agent-relay (format ${version}, this one reads 1): install the newer version again.`,
    )
  const parsed = Config.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  // Zod's message says what it expected, never the value: a mangled key must not come out here.
  throw broken(paths, `${issue?.path.join('.') || 'its content'}: ${issue?.message ?? 'unreadable'}`)
}

/** Replaces the configuration whole. */
export function writeConfig(paths: HomePaths, config: Config): void {
  writePrivate(paths.config, `${JSON.stringify(config, null, 2)}\n`)
}

/**
 * Keeps the control key of exactly this link, which has none yet; gives the link as the file has it then. Throws NOT_LINKED when
 * the file has another link by now (somebody unlinked, or linked anew), and UNTRUSTED when it has another key.
 */
export function pinControlKey(paths: HomePaths, to: Link, controlKey: string): Link {
  const { link } = readConfig(paths)
  if (link === null || link.machine.id !== to.machine.id || link.org.id !== to.org.id || link.key !== to.key)
    throw new RelayError('NOT_LINKED', `${paths.config} has another link by now: agent-relay status`)
  if (link.controlKey === controlKey) return link
  if (link.controlKey !== undefined)
    throw new RelayError(
      'UNTRUSTED',
      `${paths.config} has another control key than ${to.url} signs with; if that is right, run: agent-relay unlink && agent-relay link`,
    )
  writeConfig(paths, { v: 1, link: { ...link, controlKey } })
  return readConfig(paths).link ?? { ...link, controlKey }
}

function broken(paths: HomePaths, why: string): RelayError {
  return new RelayError(
    'BAD_REQUEST',
    `${paths.config} is broken (${why}): correct it, or move it away and run: agent-relay link`,
  )
}
