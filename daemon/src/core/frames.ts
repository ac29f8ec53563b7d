/** What one turn says to senders' machines, gathered into one frame per path. */
import type { ReturnBatch } from '@agent-relay/protocol'
import { linkTo, pathTo } from './paths.ts'
import type { State } from './state.ts'
import type { Turn } from './turn.ts'

type Batch = Required<ReturnBatch>

export type Frames = {
  /** The frame that reaches this machine now: by its direct link, else by the relay; undefined while nothing does. */
  to(machine: string): Batch | undefined
  /** The frame by the relay; undefined while there is none. */
  relay(): Batch | undefined
  /** Makes effects of those that say something. */
  close(turn: Turn): void
}

export function openFrames(state: State): Frames {
  const direct = new Map<string, Batch>()
  let byRelay: Batch | undefined
  const relay = (): Batch | undefined => {
    if (state.isUp) byRelay ??= emptyBatch()
    return byRelay
  }
  return {
    relay,
    to(machine) {
      const path = pathTo(state, linkTo(state, machine))
      if (path !== 'direct') return path === null ? undefined : relay()
      const batch = direct.get(machine) ?? emptyBatch()
      direct.set(machine, batch)
      return batch
    },
    close(turn) {
      if (byRelay !== undefined && !isEmpty(byRelay)) turn.effects.push({ type: 'return', batch: toWire(byRelay) })
      for (const [machine, batch] of direct)
        if (!isEmpty(batch)) turn.effects.push({ type: 'directReturn', machine, batch: toWire(batch) })
    },
  }
}

const emptyBatch = (): Batch => ({ acks: [], gaps: [], receipts: [], heard: [] })
const isEmpty = ({ acks, gaps, receipts, heard }: Batch): boolean =>
  acks.length + gaps.length + receipts.length + heard.length === 0
/** Version 1 knows no answers: they are only there when there are some. */
const toWire = ({ heard, ...batch }: Batch): ReturnBatch => (heard.length === 0 ? batch : { ...batch, heard })
