import { setTimeout as sleep } from 'node:timers/promises'
import { MACHINE_KEY_PREFIX } from '@agent-relay/protocol'
import { awaitApproval, type MachineFacts, registerWithKey, startLink } from '../cloud/link-flow.ts'
import { controlOrigin } from '../cloud/url.ts'
import { RelayError } from '../errors.ts'
import { openBrowser } from '../home/browser.ts'
import { type Link, readConfig, writeConfig } from '../home/config.ts'
import { readEnvironment } from '../home/env.ts'
import { openHome } from '../home/home.ts'
import { ensureIdentity, type Identity } from '../home/identity.ts'
import { machineName, platformName, servedFrom } from '../home/machine.ts'
import { version } from '../version.ts'
import { afterLink } from './after-link.ts'
import { defineCommand } from './command.ts'
import { EXIT } from './exit.ts'
import type { Io } from './io.ts'

const DEFAULT_URL = 'http://localhost:3000'

export const command = defineCommand({
  name: 'link',
  summary: 'join this machine to an organization',
  options: {
    url: { kind: 'value', placeholder: 'URL', help: `the control plane (AGENT_RELAY_URL, else ${DEFAULT_URL})` },
    org: { kind: 'value', placeholder: 'SLUG', help: 'the organization to propose in the browser' },
    name: { kind: 'value', placeholder: 'MACHINE', help: "this machine's name (default: its host name)" },
    key: { kind: 'value', placeholder: 'ar_live_…', help: 'a key made for this machine; - reads it from stdin' },
    'no-open': { kind: 'flag', help: 'do not open the browser' },
    'insecure-http': { kind: 'flag', help: 'allow plain http to another machine' },
  },
  hasJson: true,
  details:
    'Shows a code that you approve in the browser. Without a browser, make a key on the Machines page and give it by\nAGENT_RELAY_KEY or --key -; it then stands in no process list and no shell history.',
  examples: ['agent-relay link --url https://relay.example.com', 'agent-relay link --key - < key.txt'],
  async run({ options }, io) {
    const paths = openHome()
    const environment = readEnvironment()
    const isInsecureAllowed = options['insecure-http'] === true
    const known = readConfig(paths).link
    const wantedUrl = options.url ?? environment.url
    if (known !== null && (await isAlive(known, { url: wantedUrl, org: options.org, isInsecureAllowed }, io))) {
      report(io, known, options.json === true)
      return EXIT.ok
    }
    const url = controlOrigin(wantedUrl ?? known?.url ?? servedFrom(import.meta.filename) ?? DEFAULT_URL, {
      isInsecureAllowed,
    })
    const identity = ensureIdentity(paths)
    const facts: MachineFacts = {
      machineName: machineName(options.name),
      platform: platformName(),
      version,
      publicKey: identity.publicKey,
    }
    const key = await givenKey(options.key, environment.key, io)
    const link =
      key === undefined
        ? await linkInBrowser({ url, facts, org: options.org, canOpen: !options['no-open'] }, io)
        : await linkWithKey(url, { key, identity }, facts)
    writeConfig(paths, { v: 1, link: { ...link, ...(isInsecureAllowed && { isInsecure: true }) } })
    report(io, link, options.json === true)
    await afterLink(paths, io)
    return EXIT.ok
  },
})

function report(io: Io, { url, machine, org, person }: Link, isJson: boolean): void {
  if (isJson) io.printJson({ url, machine, org, person })
  else io.print(`${machine.name} is linked to ${org.name} (${url}/o/${org.slug}) for ${person}.`)
}

type Wanted = { url: string | undefined; org: string | undefined; isInsecureAllowed: boolean }

/** Whether this home's link still holds and is the wanted one. Throws CONFLICT when it holds and another was asked for. */
async function isAlive(known: Link, wanted: Wanted, io: Io): Promise<boolean> {
  const { isInsecureAllowed } = wanted
  const isElsewhere =
    (wanted.url !== undefined && controlOrigin(wanted.url, { isInsecureAllowed }) !== known.url) ||
    (wanted.org !== undefined && ![known.org.slug, known.org.id].includes(wanted.org))
  try {
    const identity = ensureIdentity(openHome())
    const { publicKey } = identity
    const facts = { machineName: known.machine.name, platform: platformName(), version, publicKey }
    await registerWithKey(known.url, { key: known.key, identity }, facts)
  } catch (error) {
    if (!(error instanceof RelayError)) throw error
    if (['KEY_REVOKED', 'KEY_INVALID', 'IDENTITY_MISMATCH'].includes(error.code)) {
      io.say(`The link to ${known.org.name} at ${known.url} has ended; linking anew.`)
      return false
    }
    io.say(error.message)
  }
  if (isElsewhere)
    throw new RelayError(
      'CONFLICT',
      `${known.machine.name} is linked to ${known.org.name} (${known.org.slug}) at ${known.url}; leave that first: agent-relay unlink`,
    )
  io.say('Already linked; nothing changed. To leave, run: agent-relay unlink')
  return true
}

async function givenKey(option: string | undefined, fromEnvironment: string | undefined, io: Io) {
  let key = option ?? fromEnvironment
  if (key === undefined) return undefined
  if (key === '-') key = await readStdin()
  else if (option !== undefined)
    io.say(
      'Warning: a key on the command line shows in process lists and shell history; use AGENT_RELAY_KEY or --key -',
    )
  if (key.startsWith(MACHINE_KEY_PREFIX)) return key
  throw new RelayError(
    'KEY_INVALID',
    `That is not a machine key: one starts with ${MACHINE_KEY_PREFIX}. Make one on the Machines page, or link in the browser: agent-relay link`,
  )
}

async function readStdin(): Promise<string> {
  if (process.stdin.isTTY)
    throw new RelayError('BAD_REQUEST', '--key - reads the key from a pipe: agent-relay link --key - < key.txt')
  let text = ''
  for await (const part of process.stdin.setEncoding('utf8')) text += part
  return text.trim()
}

async function linkWithKey(url: string, own: { key: string; identity: Identity }, facts: MachineFacts): Promise<Link> {
  const { machine, org, person } = await registerWithKey(url, own, facts)
  return { url, key: own.key, machine, org, person, linkedAt: Date.now() }
}

type Asking = { url: string; facts: MachineFacts; org: string | undefined; canOpen: boolean }

async function linkInBrowser({ url, facts, org, canOpen }: Asking, io: Io): Promise<Link> {
  const stop = new AbortController()
  const onInterrupt = () =>
    stop.abort(new RelayError('SHUTTING_DOWN', 'Stopped; nothing was linked. To try again, run: agent-relay link'))
  process.once('SIGINT', onInterrupt)
  process.once('SIGTERM', onInterrupt)
  try {
    const { signal } = stop
    const start = await startLink(url, { ...facts, ...(org !== undefined && { org }) }, signal)
    io.say(`To link ${facts.machineName}, open ${start.verification_uri_complete}`)
    io.say(`and check that it shows the code ${start.user_code}`)
    if (canOpen && io.canAsk && readEnvironment().hasDisplay) await openBrowser(start.verification_uri_complete)
    io.say(`Waiting for your approval; the code ends in ${Math.round(start.expires_in / 60)} minutes.`)
    const linked = await awaitApproval(url, start, {
      signal,
      now: () => performance.now(),
      sleep: (ms) => sleep(ms, undefined, { signal }).catch(() => signal.throwIfAborted()),
      onTrouble: (error) => io.say(`${error.message} Still trying.`),
    })
    const { api_key: key, machine, person } = linked
    return { url, key, machine, org: linked.org, person, linkedAt: Date.now() }
  } finally {
    process.off('SIGINT', onInterrupt)
    process.off('SIGTERM', onInterrupt)
  }
}
