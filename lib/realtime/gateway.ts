/** What the parts of the machine gateway share. */
import type { ControlEvents, MachineEvents } from '@agent-relay/protocol'
import type { Namespace } from 'socket.io'
import type { Db } from '#lib/services/context.ts'
import type { SessionFacts } from '#lib/services/machines/sessions.ts'
import type { Clones } from './clones.ts'
import type { Directories } from './directory.ts'
import type { Drain } from './drain.ts'
import type { Log } from './log.ts'
import type { MachineSession, MachineSocketData } from './machine-session.ts'
import type { Relay } from './relay.ts'
import type { TraceWriter } from './trace-writer.ts'

export type MachineNamespace = Namespace<MachineEvents, ControlEvents, Record<string, never>, MachineSocketData>

export type Gateway = {
  db: Db
  log: Log
  /** Names this process in the rows of its sessions. */
  node: string
  sessions: Map<string, MachineSession>
  drains: WeakMap<MachineSession, Drain>
  directories: Directories
  clones: Clones
  relay: Relay
  traces: TraceWriter
  /** Null when the machine was revoked meanwhile. */
  openSession(facts: SessionFacts): Promise<string | null>
  onEnd(session: MachineSession): void
}

/** The machines of an organization that speak this version. */
export const orgRoom = (orgId: string, version: number): string => `org:${orgId}:${version}`
export const machineRoom = (machineId: string): string => `machine:${machineId}`
