/** The repository in which an agent works, as others see it. */
import { existsSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** The short name of the repository around this folder, or of the folder itself. */
export function repositoryName(folder: string): string {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, '.git'))) return basename(at)
    if (dirname(at) === at) return basename(folder)
  }
}

/** The name as a project's, or undefined when nothing of it fits one. */
export const projectName = (repository: string): string | undefined =>
  repository
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 64) || undefined
