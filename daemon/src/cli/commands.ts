/** Every command by its name. A command is loaded only when it is asked for: `send` must start as fast as Node itself. */
import type { Command } from './command.ts'

type Load = () => Promise<Command>

export const commands: Record<string, Load> = {
  link: async () => (await import('./link.ts')).command,
  unlink: async () => (await import('./unlink.ts')).command,
}
