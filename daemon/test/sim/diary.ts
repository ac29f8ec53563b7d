/** A run in words, for whoever reads a failing one: what was done to the world, what each machine wrote, said and heard. */
import type { Envelope, ReturnBatch } from '@agent-relay/protocol'
import type { Op } from '../../src/core/turn.ts'

export type Diary = {
  /** `what` is only made when somebody reads. */
  note(who: string, what: () => string): void
}

export const noDiary: Diary = { note: () => undefined }

export function writeDiary(now: () => number, write: (line: string) => void): Diary {
  return {
    note(who, what) {
      const text = what()
      if (text !== '') write(`${(now() / 1000).toFixed(3).padStart(11)} s  ${who.padEnd(6)} ${text}`)
    },
  }
}

const short = (id: string): string => id.slice(-17).replace(/^8?0*/, '')

export const envelopesAsText = (envelopes: readonly Envelope[]): string =>
  envelopes
    .map(({ id, stream, seq, isVoid, body, outboxEpoch, ttlMs }) =>
      isVoid
        ? `${stream}/${outboxEpoch.slice(0, 3)} ${seq}=void`
        : `${stream}/${outboxEpoch.slice(0, 3)} ${seq}=#${body.split(' ')[0]} (${short(id)}, ${ttlMs} ms)`,
    )
    .join(', ')

export const returnsAsText = ({ acks, gaps, receipts }: ReturnBatch): string =>
  [
    ...acks.map(({ stream, outboxEpoch, upTo }) => `ack ${stream}/${outboxEpoch.slice(0, 3)} ≤${upTo}`),
    ...gaps.map(({ stream, outboxEpoch, next }) => `gap ${stream}/${outboxEpoch.slice(0, 3)} ${next}`),
    ...receipts.map(({ id, state, reason }) => `${state} ${short(id)}${reason ? ` ${reason}` : ''}`),
  ].join(', ')

export const opsAsText = (ops: readonly Op[]): string => ops.flatMap((op) => opAsText(op) ?? []).join('; ')

function opAsText(op: Op): string | undefined {
  switch (op.op) {
    case 'message':
      return `+${op.row.n} ${op.row.way} ${op.row.state} ${op.row.fromAgent}>${op.row.toAgent} ${op.row.body.replace(/x{5,}/, '…').slice(0, 150)} (${short(op.row.id)}${op.row.seq === null ? '' : `, seq ${op.row.seq}`})`
    case 'state':
      return `${op.n} ${op.state}${op.reason ? ` ${op.reason}` : ''}`
    case 'receipt':
      return `receipt ${short(op.id)} ${op.state}`
    case 'watermark':
      return `mark ${op.stream}/${op.outboxEpoch.slice(0, 3)} next ${op.next}`
    case 'stream':
      return `stream ${op.id} next ${op.next} sentTo ${op.sentTo}`
    case 'meta':
      return op.key === 'identity' ? `linked ${op.value === null ? 'to nothing' : 'again'}` : undefined
    case 'attempt':
      return undefined
    default: {
      const { op: name, ...rest } = op
      return `${name} ${JSON.stringify('row' in rest ? { name: rest.row.name, claim: rest.row.claim, epoch: rest.row.epoch } : rest)}`
    }
  }
}
