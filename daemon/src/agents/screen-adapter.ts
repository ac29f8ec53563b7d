/**
 * Agent clients with a screen of their own. Typing into them is dangerous: with a permission dialog open, paste and Enter
 * approve the pending command. Reading their screen is lossy. Until their own adapters exist, messages wait in the inbox, where
 * the agent reads them with `agent-relay inbox`, and it sends with `agent-relay send`.
 */
import { basename } from 'node:path'
import { RelayError } from '../errors.ts'
import type { Adapter, AdapterKind } from './adapter.ts'
import type { Program } from './program.ts'

const clients = new Set([
  'claude',
  'codex',
  'gemini',
  'opencode',
  'qwen',
  'pi',
  'cursor-agent',
  'amp',
  'cline',
  'copilot',
  'aider',
  'goose',
  'crush',
])
const runners = new Set(['npx', 'bunx', 'pnpx', 'node', 'bun', 'env', 'sudo', 'nice'])

export const screenClient: AdapterKind = {
  client: 'screen',
  capabilities: { wakesIdle: false, reachesMidTurn: false, hasUntrustedSlot: false, keepsDraft: true },
  detect: (command) => clientOf(command) !== undefined,
  attach: attachScreen,
}

/** The agent client that a command line starts, by its program's name, also behind a runner such as npx. */
function clientOf(command: readonly string[]): string | undefined {
  for (const word of command) {
    const name = basename(word)
      .replace(/\.(?:[cm]?js|exe|cmd)$/, '')
      .replace(/@.*$/, '')
    if (clients.has(name)) return name
    if (/^claude-code\b/.test(name)) return 'claude'
    if (!runners.has(name) && !word.startsWith('-') && !word.includes('=')) return undefined
  }
  return undefined
}

function attachScreen(program: Program): Adapter {
  let gone: (error: Error) => void = () => {}
  const untilEnd = new Promise<never>((_, reject) => {
    gone = reject
  })
  untilEnd.catch(() => {})
  return {
    identify: () => ({ client: 'screen', pid: program.pid }),
    state: () => 'online',
    deliver: () => untilEnd,
    notify: () => {},
    output: () => {},
    typed: () => {},
    end: () =>
      gone(
        new RelayError(
          'UNAVAILABLE',
          'The program ended before it read its inbox. Next: agent-relay inbox shows what waits.',
        ),
      ),
  }
}
