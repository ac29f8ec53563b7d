/** Finds a program before it is started: after the fork its absence would be a number instead of a sentence. */
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, resolve } from 'node:path'
import { RelayError } from '../errors.ts'

/** The file that `command` means in this folder with this PATH. Throws a RelayError that says what was looked for. */
export function findCommand(command: string, cwd: string, path: string | undefined): string {
  if (!isFolder(cwd))
    throw new RelayError('NOT_FOUND', `The folder ${cwd} is not there. Next: cd to one that is, or give --repo PATH.`)
  const isPath = command.includes('/') || (process.platform === 'win32' && command.includes('\\'))
  if (isPath)
    return runnable(resolve(cwd, command)) ?? missing(`${resolve(cwd, command)} is not a program that may be run.`)
  const endings = process.platform === 'win32' ? ['', '.exe', '.cmd', '.bat'] : ['']
  for (const folder of (path ?? '').split(delimiter).filter(Boolean))
    for (const ending of endings) {
      const found = runnable(resolve(cwd, folder, command + ending))
      if (found) return found
    }
  return missing(`There is no program ${JSON.stringify(command.slice(0, 200))} on PATH.`)
}

function missing(sentence: string): never {
  throw new RelayError('NOT_FOUND', `${sentence} Next: check the command line after "--".`)
}

function runnable(file: string): string | undefined {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile() ? file : undefined
  } catch {
    return undefined
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}
