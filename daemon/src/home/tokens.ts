/** Agents' tokens: who can read `agents/<name>.token` may speak as that agent on this machine. */
import { randomBytes } from 'node:crypto'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { RelayError } from '../errors.ts'
import { codeOf, unwritable, writePrivate } from './files.ts'
import type { HomePaths } from './paths.ts'

/**
 * Where the token of this agent is. Names are compared without case, so the file is in lower case.
 * Throws NAME_INVALID for what is no name: it must not become a path elsewhere.
 */
export function tokenPath(paths: HomePaths, agent: string): string {
  if (!/^[A-Za-z][A-Za-z0-9_-]{0,63}$/.test(agent))
    throw new RelayError(
      'NAME_INVALID',
      `${JSON.stringify(agent.slice(0, 80))} is not an agent's name: 1 to 64 letters, digits, "-" or "_", first a letter.`,
    )
  return join(paths.agents, `${agent.toLowerCase()}.token`)
}

/** A new token: 256 random bits in base64url. */
export const makeToken = (): string => randomBytes(32).toString('base64url')

export function writeToken(paths: HomePaths, agent: string, token: string): void {
  writePrivate(tokenPath(paths, agent), `${token}\n`)
}

/** The token of this agent, or undefined when it has none here. */
export const readToken = (paths: HomePaths, agent: string): string | undefined => readTokenFile(tokenPath(paths, agent))

/** The token in this file, such as AGENT_RELAY_TOKEN_FILE names; undefined when there is no such file. */
export function readTokenFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim() || undefined
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw unwritable(path, error)
  }
}

export function removeToken(paths: HomePaths, agent: string): void {
  rmSync(tokenPath(paths, agent), { force: true })
}
