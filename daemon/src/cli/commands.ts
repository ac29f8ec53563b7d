/** Every command by its name. A command is loaded only when it is asked for: `send` must start as fast as Node itself. */
import type { Command } from './command.ts'

type Load = () => Promise<Command>

export const commands: Record<string, Load> = {
  up: async () => (await import('./up.ts')).command,
  down: async () => (await import('./down.ts')).command,
  status: async () => (await import('./status.ts')).command,
  run: async () => (await import('./run.ts')).command,
  send: async () => (await import('./send.ts')).command,
  inbox: async () => (await import('./inbox.ts')).command,
  history: async () => (await import('./history.ts')).command,
  read: async () => (await import('./read.ts')).command,
  reply: async () => (await import('./reply.ts')).command,
  dead: async () => (await import('./dead.ts')).command,
  agents: async () => (await import('./agents.ts')).command,
  channels: async () => (await import('./channels.ts')).command,
  join: async () => (await import('./join.ts')).command,
  leave: async () => (await import('./leave.ts')).command,
  machines: async () => (await import('./machines.ts')).command,
  whoami: async () => (await import('./whoami.ts')).command,
  ping: async () => (await import('./ping.ts')).command,
  trace: async () => (await import('./trace.ts')).command,
  netcheck: async () => (await import('./netcheck.ts')).command,
  logs: async () => (await import('./logs.ts')).command,
  link: async () => (await import('./link.ts')).command,
  unlink: async () => (await import('./unlink.ts')).command,
}
