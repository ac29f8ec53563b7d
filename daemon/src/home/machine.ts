/** What this machine tells of itself. */
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { MachineName } from '@agent-relay/protocol'
import { RelayError } from '../errors.ts'

/** The name that a person gave, or this host's. Throws NAME_INVALID for a name that cannot be one. */
export function machineName(wanted?: string): string {
  if (wanted !== undefined) {
    const name = MachineName.safeParse(wanted)
    if (name.success) return name.data
    throw new RelayError(
      'NAME_INVALID',
      `${JSON.stringify(wanted.slice(0, 80))} cannot be a machine's name: ${name.error.issues[0]?.message ?? 'unreadable'}; use: agent-relay link --name NAME`,
    )
  }
  const host = (hostname().split('.')[0] ?? '').replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '')
  return host.slice(0, 63) || 'machine'
}

/** The system as people call it. */
export const platformName = (): string =>
  ({ darwin: 'macOS', win32: 'Windows' })[process.platform as string] ?? process.platform

/**
 * The origin that this package was installed from, when that is a control plane that serves its own daemon
 * (`npx https://relay.example.com/agent-relay.tgz`): npm writes it into the lockfile beside the package.
 */
export function servedFrom(file: string): string | undefined {
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    const origin = originIn(join(folder, 'node_modules/.package-lock.json'))
    if (origin !== undefined) return origin
  }
  return undefined
}

function originIn(lockfile: string): string | undefined {
  try {
    const { packages } = JSON.parse(readFileSync(lockfile, 'utf8'))
    const resolved = new URL(packages['node_modules/agent-relay'].resolved)
    return /^https?:$/.test(resolved.protocol) && resolved.pathname === '/agent-relay.tgz' ? resolved.origin : undefined
  } catch {
    return undefined
  }
}
