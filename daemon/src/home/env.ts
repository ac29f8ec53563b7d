/** The only reader of the daemon's environment. Without a schema library, because every command pays for what this loads. */
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

/** What the environment says to the daemon and its commands. Empty values count as unset. */
export type Environment = {
  /** AGENT_RELAY_HOME as an absolute path; ~/.agent-relay without it. */
  home: string
  /** AGENT_RELAY_URL: the control plane that `link` asks when no --url is given. */
  url: string | undefined
  /** AGENT_RELAY_KEY: a machine key for `link` without a browser, kept out of argv. */
  key: string | undefined
  /** AGENT_RELAY_NAME and AGENT_RELAY_TOKEN_FILE: set by `run` for the program that it wraps. */
  agentName: string | undefined
  tokenFile: string | undefined
  /** AGENT_RELAY_LOG_LEVEL: of daemon.log. */
  logLevel: string | undefined
  /** AGENT_RELAY_HISTORY: how long finished messages are kept, such as 90d; 30 days without it. */
  history: string | undefined
  /** AGENT_RELAY_SEAL=off, heard only with NODE_ENV=benchmark: bodies are not sealed, to measure what sealing costs. */
  isSealOff: boolean
  /** AGENT_RELAY_PEER_PORT: on which direct links are taken; `off` makes none. A free one is chosen once and kept without it. */
  peerPort: string | undefined
  /** AGENT_RELAY_ADVERTISE: host:port, several with commas, at which others reach that port. */
  advertise: string | undefined
  /** AGENT_RELAY_PORT_MAPPING=off: no router is asked to open a port. */
  portMapping: string | undefined
  isCi: boolean
  /** A person can see a browser that this process opens. */
  hasDisplay: boolean
  hasColor: boolean
}

/** Reads the environment as it is now. */
export function readEnvironment(env: Record<string, string | undefined> = process.env): Environment {
  const get = (name: string): string | undefined => env[name]?.trim() || undefined
  const isDesktop = process.platform === 'darwin' || process.platform === 'win32'
  return {
    home: resolve(get('AGENT_RELAY_HOME') ?? join(homedir(), '.agent-relay')),
    url: get('AGENT_RELAY_URL'),
    key: get('AGENT_RELAY_KEY'),
    agentName: get('AGENT_RELAY_NAME'),
    tokenFile: get('AGENT_RELAY_TOKEN_FILE'),
    logLevel: get('AGENT_RELAY_LOG_LEVEL'),
    history: get('AGENT_RELAY_HISTORY'),
    isSealOff: get('NODE_ENV') === 'benchmark' && get('AGENT_RELAY_SEAL') === 'off',
    peerPort: get('AGENT_RELAY_PEER_PORT'),
    advertise: get('AGENT_RELAY_ADVERTISE'),
    portMapping: get('AGENT_RELAY_PORT_MAPPING'),
    isCi: get('CI') !== undefined && get('CI') !== 'false',
    hasDisplay: get('SSH_CONNECTION') === undefined && (isDesktop || !!(get('DISPLAY') ?? get('WAYLAND_DISPLAY'))),
    hasColor: get('NO_COLOR') === undefined && get('TERM') !== 'dumb',
  }
}

/** The environment for a child process: what this process has, without undefined values, and `extra` over it. */
export function childEnvironment(extra: Record<string, string> = {}): Record<string, string> {
  const inherited = Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return { ...Object.fromEntries(inherited), ...extra }
}
