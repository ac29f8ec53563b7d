/** `npm run sign-in-link`: one more one-time link for the control plane that runs on this data folder or database. */
import { createSignInLink } from '#lib/auth/local-link.ts'
import { getDb } from '#lib/db/client.ts'
import { env, loadEnvFile, parseEnv } from '#lib/env.ts'
import { OperatorError } from '#lib/operator-error.ts'
import { whoRuns } from './data-folder.ts'

try {
  loadEnvFile()
  const given = parseEnv(process.env)
  if (!given.DATABASE_URL) {
    const running = whoRuns(given.RELAY_DATA_DIR)
    if (!running)
      throw new OperatorError('NOT_RUNNING', 'No control plane runs on this data folder: start it with npm start.')
    process.env.DATABASE_URL = running.databaseUrl
    process.env.PUBLIC_URL = running.url
  }
  await fetch(`${env().PUBLIC_URL}/api/health`).catch(() => {
    throw new OperatorError('NOT_RUNNING', `No control plane answers at ${env().PUBLIC_URL}: start it with npm start.`)
  })
  const { url } = await createSignInLink(getDb())
  console.log(url)
  console.error('It signs in once, within 15 minutes.')
  await getDb().$disconnect()
} catch (error) {
  console.error(error instanceof OperatorError ? error.message : error)
  process.exit(1)
}
