/**
 * What services tell the gateway, and the gateway the dashboards. Services run in Next's bundle and the gateway in server.ts:
 * two instances of this module in one process, hence the emitter on globalThis. Publish after the commit, never before.
 */
import { EventEmitter } from 'node:events'
import type { DashboardHint, WireError } from '@agent-relay/protocol'

export type BusEvents = {
  /** The roster of an organization has a new version. */
  roster: [{ orgId: string }]
  /** Something that the dashboard shows has changed. */
  hint: [{ orgId: string; kinds: DashboardHint['kinds'] }]
  /** End this machine's socket, with this last word. */
  disconnect: [{ machineId: string; error: WireError }]
  /** This machine was revoked: nothing is carried to or from it any more. */
  revoked: [{ orgId: string; machineId: string }]
  /** Rows were committed to the mailboxes of these machines, none of them with an id before `from`. */
  mail: [{ machines: { machineId: string; from: string }[] }]
  /** What people wrote and these machines have not acknowledged goes out again, also what was handed over before. */
  resend: [{ machineIds: string[] }]
  /** These machines are owed receipts of their messages to people and channels. */
  owed: [{ machineIds: string[] }]
}

const key = Symbol.for('agent-relay.bus')
const shared = globalThis as { [key]?: EventEmitter<BusEvents> }

function emitter(): EventEmitter<BusEvents> {
  shared[key] ??= new EventEmitter<BusEvents>().setMaxListeners(0)
  return shared[key]
}

/** Tells every listener in this process, in this tick. */
export function publish<K extends keyof BusEvents>(event: K, ...payload: BusEvents[K]): void {
  ;(emitter() as EventEmitter).emit(event, ...payload)
}

/** Listens until the returned function is called. */
export function listen<K extends keyof BusEvents>(event: K, listener: (...payload: BusEvents[K]) => void): () => void {
  const bus = emitter() as EventEmitter
  bus.on(event, listener)
  return () => bus.off(event, listener)
}
