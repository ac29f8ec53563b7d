import { type Env, env } from '#lib/env.ts'
import { isLoopbackHost } from './loopback.ts'

/** Which ways in this install has; the sign-in page shows those. */
export function signInOptions(variables: Env = env()): { github: boolean; local: boolean } {
  const github = variables.GITHUB_CLIENT_ID !== undefined
  return { github, local: !github || isLoopbackInstall(variables) }
}

/** Whether only this computer can reach the install. */
export const isLoopbackInstall = ({ HOST, PUBLIC_URL }: Env): boolean =>
  isLoopbackHost(HOST) && isLoopbackHost(new URL(PUBLIC_URL).hostname)
