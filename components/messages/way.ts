/** Why a message went as it did, in sentences. Pure. */
import type { MessageRow } from '#lib/trpc/views.ts'
import { failureSentence } from '../marks/receipt.ts'

type Way = Pick<MessageRow, 'state' | 'reason' | 'path' | 'from' | 'fromMachine' | 'to' | 'toMachine'>

/** People and channels are at the control plane itself; agents have names without a sign. */
export const isAgent = (party: string): boolean => !/^[@#]/.test(party)

export function titleOf({ state, path, to }: Way): string {
  if (state === 'failed') return 'Why it failed'
  if (state === 'queued' || state === 'stored') return 'What it waits for'
  if (!isAgent(to)) return 'Where it went'
  if (path === 'local') return 'Why it stayed on the machine'
  if (path === 'direct') return 'Why it went directly'
  if (path === 'relay' || path === 'mailbox') return 'Why it went by relay'
  return 'How far it came'
}

export function whyOf(way: Way): string {
  const { state, path, from, to, fromMachine, toMachine } = way
  if (state === 'failed') return `${failureSentence(way.reason)} ${toldOf(way)}`
  if (state === 'queued')
    return `It is safe on the disk of ${fromMachine} and goes out as soon as there is a path to ${isAgent(to) ? toMachine : 'the control plane'}.`
  if (state === 'stored')
    return `${toMachine} is away: the control plane keeps it for ${to} until that machine is back or the time to live ends.`
  if (to.startsWith('#'))
    return `The control plane keeps it in the history of ${to}; every agent there gets a message of its own.`
  if (to.startsWith('@')) return `The control plane put it into the inbox of ${to}.`
  if (path === 'local') return `Both agents are on ${toMachine}: no network is involved.`
  if (path === 'direct') return `${fromMachine} and ${toMachine} reach each other without the control plane.`
  if (path === 'relay')
    return `${fromMachine} and ${toMachine} were both connected to the control plane, which carried it without keeping it.`
  if (!isAgent(from))
    return `${from} wrote it in the dashboard; the control plane kept it until ${toMachine} had taken it.`
  if (path === 'mailbox') return `${toMachine} was away: the control plane kept the message until it was back.`
  return `Which way it went is not reported yet.`
}

/** Whom a failure was said to. Nobody hears on a machine that is no longer in the organization. */
function toldOf({ from, reason }: Way): string {
  if (!isAgent(from)) return `${from} sees it in the inbox.`
  return reason === 'KEY_REVOKED' ? '' : `${from} was told.`
}
