/** Opening the home folder: made if missing, checked, closed to other users. */
import { accessSync, constants } from 'node:fs'
import { readEnvironment } from './env.ts'
import { ensurePrivateFolder, unwritable } from './files.ts'
import { type HomePaths, homePaths } from './paths.ts'

/**
 * The home folder, ready for use, with mode 0700 whatever it had before.
 * Throws a RelayError when it is a file, belongs to somebody else or cannot be written.
 */
export function openHome(home: string = readEnvironment().home): HomePaths {
  const paths = homePaths(home)
  ensurePrivateFolder(paths.home)
  ensurePrivateFolder(paths.agents)
  if (paths.runtime !== undefined) ensurePrivateFolder(paths.runtime)
  try {
    accessSync(paths.home, constants.W_OK | constants.X_OK)
  } catch (error) {
    throw unwritable(paths.home, error)
  }
  return paths
}
