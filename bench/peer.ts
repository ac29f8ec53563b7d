/** What a program must do to be measured beside ours. */
import type { Load, Parked, Pumped } from './pump.ts'

export type Peer = {
  name: string
  /** As `pump`: each message stored, acknowledged to its sender, delivered and acknowledged by its reader. */
  pump(load: Load): Promise<Pumped>
  /** Stores `count` messages while nobody reads, `inFlight` unanswered at a time; then reads and acknowledges them all. */
  park(load: Load): Promise<Parked>
  close(): Promise<void>
}
