import { existsSync } from 'node:fs'
import { unlinkRemote } from '../cloud/link-flow.ts'
import { RelayError } from '../errors.ts'
import { readConfig, writeConfig } from '../home/config.ts'
import { openHome } from '../home/home.ts'
import { ensureIdentity, forgetIdentity } from '../home/identity.ts'
import type { HomePaths } from '../home/paths.ts'
import { defineCommand } from './command.ts'
import { withDaemon } from './daemon-connection.ts'
import { ensureDaemon } from './daemon-process.ts'
import { EXIT } from './exit.ts'
import { reloadDaemon } from './reload-daemon.ts'

export const command = defineCommand({
  name: 'unlink',
  summary: 'take this machine out of its organization',
  options: { force: { kind: 'flag', help: 'also when messages to other machines still wait here; they will fail' } },
  details: 'Ends the key here and at the control plane. The daemon goes on serving the agents of this machine.',
  async run({ options }, io) {
    const paths = openHome()
    const { link } = readConfig(paths)
    if (link === null)
      throw new RelayError(
        'NOT_LINKED',
        'This machine is not linked, so there is nothing to leave. To join: agent-relay link',
      )
    if (!options.force) await refuseWithMail(paths)
    let isLeft = false
    try {
      const prover = { machineId: link.machine.id, identity: ensureIdentity(paths) }
      await unlinkRemote(link.url, { key: link.key, ...prover })
      isLeft = true
    } catch (error) {
      if (!(error instanceof RelayError)) throw error
      io.say(error.message)
      io.say(
        `The control plane still counts this machine: revoke ${link.machine.name} at ${link.url}/o/${link.org.slug}/machines`,
      )
    }
    writeConfig(paths, { v: 1, link: null })
    await reloadDaemon(paths)
    // While the control plane still counts this machine, the same identity is how it becomes that machine again.
    if (isLeft) forgetIdentity(paths)
    io.print(`${link.machine.name} left ${link.org.name}. To join again: agent-relay link`)
    return EXIT.ok
  },
})

/** Throws CONFLICT that says what waits for whom: after unlinking it could never be delivered. */
async function refuseWithMail(paths: HomePaths): Promise<void> {
  if (!existsSync(paths.db)) return
  // Only the daemon knows what waits; one that is started for the question goes again after it.
  const { isNew } = await ensureDaemon()
  const { machines } = await withDaemon(async (connection) => {
    const status = await connection.request('status', {})
    if (isNew) await connection.request('shutdown', {})
    return status
  })
  const waiting = machines.filter((machine) => !machine.isSelf && machine.queued > 0)
  if (waiting.length === 0) return
  const list = waiting.map((machine) => `${machine.queued} for ${machine.name}`).join(', ')
  throw new RelayError(
    'CONFLICT',
    `Messages still wait to be sent (${list}): wait until they are gone (agent-relay status), or give them up with agent-relay unlink --force`,
  )
}
