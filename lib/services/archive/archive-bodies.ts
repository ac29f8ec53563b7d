/**
 * Bodies that senders' machines seal to the organization's archive, with the reports of their messages: opened and stored, for
 * the pages that show and search them. Only while the archive is on, and only a machine's own messages.
 */
import { MAX_BODY_BYTES, MAX_SEALED_LENGTH, type Sealed } from '@agent-relay/protocol'
import { ARCHIVE, createSealBox, type KeyPair, type SealBox } from '@agent-relay/protocol/crypto'
import { isId } from '#lib/access/authorize.ts'
import type { Db } from '../context.ts'
import { sealsOf } from '../inbox/cloud-box.ts'
import { archiveKeyOf } from '../keys/org-keys.ts'
import type { OwnTrace } from '../messages/save-traces.ts'
import { plainJson } from '../plain-text.ts'

type Own = { orgId: string; machineId: string; id: string; sealed: Sealed }

const boxes = new WeakMap<KeyPair, SealBox>()

function boxOf(key: KeyPair): SealBox {
  const box = boxes.get(key) ?? createSealBox([key])
  boxes.set(key, box)
  return box
}

/**
 * After saveTraces, which says whose message is whose. What cannot be opened is left out; so is what is between a person and
 * others, which only that person reads. Returns how many could not be opened.
 */
export async function archiveBodies(db: Db, traces: OwnTrace[]): Promise<number> {
  const own = traces.flatMap(({ orgId, machineId, report }): Own[] => {
    const { id, sealed, from, to } = report
    const isPersonal = from.startsWith('@') || to.startsWith('@')
    return sealed === undefined || isPersonal ? [] : [{ orgId, machineId, id, sealed }]
  })
  let unopened = 0
  for (const [orgId, ofOrg] of Map.groupBy(own, ({ orgId }) => orgId)) {
    const org = await db.organization.findUnique({ where: { id: orgId }, select: { archiveSince: true } })
    if (!org?.archiveSince) continue
    const bodies = await openAll(db, orgId, ofOrg)
    unopened += ofOrg.length - bodies.length
    await store(db, orgId, bodies)
  }
  return unopened
}

type Opened = { machine: string; id: string; body: string }

async function openAll(db: Db, orgId: string, own: Own[]): Promise<Opened[]> {
  const box = boxOf(await archiveKeyOf(db, orgId))
  const ids = [...new Set(own.map(({ machineId }) => machineId))].filter(isId)
  const machines = await db.machine.findMany({ where: { orgId, id: { in: ids } }, select: { id: true, seals: true } })
  const keys = new Map(machines.map((machine) => [machine.id, sealsOf(machine).map(({ key }) => key)]))
  return own.flatMap(({ machineId, id, sealed }) => {
    if (sealed.data.length > MAX_SEALED_LENGTH) return []
    const way = { org: orgId, from: machineId, to: ARCHIVE }
    const body = box.openText(way, ['archive', id], sealed, keys.get(machineId) ?? [])
    return body === undefined || Buffer.byteLength(body) > MAX_BODY_BYTES ? [] : [{ machine: machineId, id, body }]
  })
}

async function store(db: Db, orgId: string, bodies: Opened[]): Promise<void> {
  if (bodies.length === 0) return
  await db.$executeRaw`
    INSERT INTO "ArchivedMessage" ("orgId", "messageId", body, "sentAt", "storedAt")
    SELECT t."orgId", t."messageId", r.body, t."sentAt", now()
    FROM jsonb_to_recordset(${plainJson(bodies)}::jsonb) AS r(machine uuid, id uuid, body text)
      JOIN "MessageTrace" t ON t."orgId" = ${orgId}::uuid AND t."messageId" = r.id AND t."fromMachineId" = r.machine
    ON CONFLICT DO NOTHING`
}
