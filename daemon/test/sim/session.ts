/** One connection of a machine to the control plane, with what each end knows of it. */
import type { Envelope, Returned, Roster, RosterDelta, SignalIn, Welcome } from '@agent-relay/protocol'

export type Session = {
  machine: string
  /** Whether the machine's, and the control plane's, end of it is open. */
  isOpenHere: boolean
  isOpenThere: boolean
  /** The machine's end. */
  end: MachineEnd
  /** What the control plane keeps for it, and loses with it. */
  plane: {
    roster: Roster | undefined
    handedOver: Set<number>
    mailStreams: Map<string, number>
    isDraining: boolean
  }
  /** Frames that keep their order do not overtake each other: when the last of each direction arrives. */
  lastAt: { up: number; down: number }
  /** Frames that came while the machine slept. */
  unread: (() => void)[]
}

export type MachineEnd = {
  isAwake(): boolean
  welcome(welcome: Welcome): void
  delta(delta: RosterDelta): void
  roster(roster: Roster): void
  /** The roster that came last was the newest at `at`, the control plane's clock. */
  fresh(at: number): void
  signal(signal: SignalIn): void
  deliver(envelopes: Envelope[]): void
  returned(returned: Returned): void
  /** This machine is not one of the organization's any more. */
  refused(): void
  /** The connection ended. */
  lost(): void
}

export const newSession = (machine: string, end: MachineEnd): Session => ({
  machine,
  isOpenHere: true,
  isOpenThere: false,
  end,
  plane: { roster: undefined, handedOver: new Set(), mailStreams: new Map(), isDraining: false },
  lastAt: { up: 0, down: 0 },
  unread: [],
})
