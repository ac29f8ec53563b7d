/** The control plane as one end of a sealed message: opens what machines sealed to it, and seals what people write to machines. */
import { type Envelope, MAX_BODY_BYTES, type SealKey, SealKeys } from '@agent-relay/protocol'
import { createSealBox, type KeyPair, type SealBox } from '@agent-relay/protocol/crypto'
import type { Db } from '../context.ts'
import { cloudSealKeysOf } from '../keys/cloud-seal-keys.ts'

/** By the keys, which are the same array until they are replaced. */
const boxes = new WeakMap<readonly KeyPair[], SealBox>()

async function boxOf(db: Db, orgId: string): Promise<SealBox> {
  const { pairs } = await cloudSealKeysOf(db, orgId)
  let box = boxes.get(pairs)
  if (box === undefined) {
    box = createSealBox(pairs)
    boxes.set(pairs, box)
  }
  return box
}

/** Newest first; none of a machine whose program was never new enough. Their signatures were verified when they were put. */
export function sealsOf(machine: { seals: unknown } | null): SealKey[] {
  const seals = SealKeys.safeParse(machine?.seals)
  return seals.success ? seals.data : []
}

/** `why`: it cannot be read, in words for the log. Its sender keeps it, and seals it anew with its next try. */
export type Opened = { envelope: Envelope; why?: string }

/**
 * The envelopes of one machine with their bodies. A machine that has keys sends nothing in the clear: what says so was changed on
 * its way here.
 * @throws DomainError as those of lib/services/keys
 */
export async function openEnvelopes(
  db: Db,
  sender: { orgId: string; machineId: string },
  envelopes: Envelope[],
): Promise<Opened[]> {
  const { orgId, machineId } = sender
  const machine = await db.machine.findFirst({ where: { id: machineId, orgId }, select: { seals: true } })
  const keys = sealsOf(machine).map(({ key }) => key)
  const isAnySealed = envelopes.some(({ sealed }) => sealed !== undefined)
  const box = isAnySealed ? await boxOf(db, orgId) : undefined
  return envelopes.map((envelope): Opened => {
    const { sealed, ...rest } = envelope
    if (sealed === undefined) return keys.length === 0 ? { envelope } : { envelope, why: 'it is not sealed' }
    const body = box?.open({ ...rest, sealed }, keys)
    if (body === undefined)
      return { envelope, why: keys.length === 0 ? 'its machine has no seal key' : 'it could not be opened' }
    return Buffer.byteLength(body) > MAX_BODY_BYTES
      ? { envelope, why: 'its body is too long' }
      : { envelope: { ...rest, body } }
  })
}

/** People's messages as they go to machines: in the clear only to one that never had a key. */
export async function sealEnvelopes(db: Db, orgId: string, envelopes: Envelope[]): Promise<Envelope[]> {
  const ids = [...new Set(envelopes.map(({ to }) => to.machine))]
  const machines = await db.machine.findMany({ where: { orgId, id: { in: ids } }, select: { id: true, seals: true } })
  const keys = new Map(machines.map((machine) => [machine.id, sealsOf(machine)[0]?.key]))
  const isAnySealed = envelopes.some(({ to }) => keys.get(to.machine) !== undefined)
  if (!isAnySealed) return envelopes
  const box = await boxOf(db, orgId)
  return envelopes.map((envelope) => {
    const key = keys.get(envelope.to.machine)
    return key === undefined ? envelope : { ...envelope, body: '', sealed: box.seal(envelope, envelope.body, key) }
  })
}
