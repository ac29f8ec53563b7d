/** The commands that a person pastes, for a control plane at `origin`: it serves its own daemon, so both always match. */
import { paths } from '#lib/paths.ts'

export const linkCommand = (origin: string): string => `npx ${origin}${paths.api.package()} link --url ${origin}`

/** The key is read from the input, so that it stays out of the shell's history and the list of processes. */
export const headlessCommand = (origin: string): string => `${linkCommand(origin)} --key -`

export const installCommand = (origin: string): string => `npm install --global ${origin}${paths.api.package()}`
