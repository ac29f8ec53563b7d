/** Machines in every way that they can be linked, written where the control plane keeps them: no test waits for real routers. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import pg from 'pg'
import type { ControlPlane } from './control-plane.ts'

type Agent = { name: string; status: string; client: string | null; project: string }
export type SeededMachine = {
  name: string
  platform: string
  /** Round trip to the control plane in ms; null for one that is away. */
  latencyMs: number | null
  agents: Agent[]
}
/** What the first of two machines says of its link to the second. */
export type Said = {
  from: string
  to: string
  state: string
  kind?: string
  latencyMs?: number
  why: string
  minutes: number
}

const agent = (name: string, client: string, project: string, status = 'working'): Agent => ({
  ...{ name, client, project, status },
})

export const machines: SeededMachine[] = [
  {
    ...{ name: 'alice-mbp', platform: 'darwin', latencyMs: 24 },
    agents: [agent('Lead', 'claude', 'frontend'), agent('Designer', 'claude', 'frontend', 'idle')],
  },
  {
    ...{ name: 'bob-mbp', platform: 'darwin', latencyMs: 18 },
    agents: [agent('API', 'codex', 'backend'), agent('DB', 'codex', 'backend')],
  },
  {
    ...{ name: 'carol-lt', platform: 'linux', latencyMs: 37 },
    agents: [agent('Utils', 'codex', 'shared-lib', 'waiting')],
  },
  { name: 'build-01', platform: 'linux', latencyMs: null, agents: [agent('Mobile', 'claude', 'mobile', 'offline')] },
]

export const links: Said[] = [
  ...bothSay('alice-mbp', 'bob-mbp', {
    ...{ state: 'direct', kind: 'lan', latencyMs: 2.9, minutes: 124 },
    why: 'the first address that answered; both are in one network',
  }),
  ...bothSay('alice-mbp', 'carol-lt', {
    ...{ state: 'relay', minutes: 31 },
    why: 'none of the 4 addresses of the other machine answered, and its router changes ports',
  }),
  ...bothSay('bob-mbp', 'carol-lt', {
    ...{ state: 'direct', kind: 'punched', latencyMs: 28, minutes: 12 },
    why: 'both routers let the connection through when both dialed at once',
  }),
  ...bothSay('bob-mbp', 'build-01', { state: 'relay', minutes: 190, why: 'no address of the other machine answered' }),
]

function bothSay(a: string, b: string, said: Omit<Said, 'from' | 'to'>): Said[] {
  return [
    { from: a, to: b, ...said },
    { from: b, to: a, ...said },
  ]
}

let made = 0
/** Ids are in order of linking. */
const nextId = (): string => `0199c0de-0000-7000-8000-${String(++made).padStart(12, '0')}`

/** Puts machines and what they say of their links into an organization; given twice, a link says the newer. */
export async function seedNetwork(
  { folder }: ControlPlane,
  slug: string,
  network: { machines?: SeededMachine[]; links?: Said[] },
): Promise<void> {
  const settings = JSON.parse(readFileSync(path.join(folder, 'postgres', 'settings.json'), 'utf8'))
  const client = new pg.Client({ host: '127.0.0.1', user: 'postgres', database: 'postgres', ...settings })
  await client.connect()
  try {
    for (const machine of network.machines ?? []) await insertMachine(client, slug, machine)
    for (const said of network.links ?? []) await insertLink(client, slug, said)
  } finally {
    await client.end()
  }
}

async function insertMachine(client: pg.Client, slug: string, { name, platform, latencyMs, agents }: SeededMachine) {
  const { rows } = await client.query<{ id: string; orgId: string }>(
    `INSERT INTO "Machine" (id, "orgId", "userId", name, "nameKey", platform, version, "publicKey", "apiKeyHash", "keyPrefix", "lastSeenAt")
     SELECT $5::uuid, o.id, m."userId", $2, lower($2), $3, '0.1.0', 'key of ' || $2, gen_random_uuid()::text, 'ar_live_seeded',
       now() - $4::interval
     FROM "Organization" o JOIN "Membership" m ON m."orgId" = o.id WHERE o.slug = $1
     RETURNING id::text, "orgId"::text`,
    [slug, name, platform, latencyMs === null ? '184 minutes' : '2 seconds', nextId()],
  )
  const { id, orgId } = rows[0] as { id: string; orgId: string }
  if (latencyMs !== null)
    await client.query(
      `INSERT INTO "MachineSession" (id, "orgId", "machineId", "bootId", node, "leaseExpiresAt", "latencyMs")
       VALUES (gen_random_uuid(), $1, $2, gen_random_uuid(), 'http', now() + interval '1 hour', $3)`,
      [orgId, id, latencyMs],
    )
  for (const { name: agentName, status, client: program, project } of agents)
    await client.query(
      `INSERT INTO "Agent" (id, "orgId", "machineId", name, "nameKey", status, client, project, capabilities)
       VALUES (gen_random_uuid(), $1, $2, $3, lower($3), $4::"AgentStatus", $5, $6, '{}')`,
      [orgId, id, agentName, status, program, project],
    )
}

const insertLink = (client: pg.Client, slug: string, { from, to, state, kind, latencyMs, why, minutes }: Said) =>
  client.query(
    `INSERT INTO "MachineLink" ("machineId", "peerId", "orgId", state, kind, "latencyMs", why, since, "updatedAt")
     SELECT a.id, b.id, o.id, $4, $5, $6, $7, now() - make_interval(mins => $8), now()
     FROM "Organization" o JOIN "Machine" a ON a."orgId" = o.id AND a.name = $2
       JOIN "Machine" b ON b."orgId" = o.id AND b.name = $3 WHERE o.slug = $1
     ON CONFLICT ("machineId", "peerId") DO UPDATE SET state = excluded.state, kind = excluded.kind,
       "latencyMs" = excluded."latencyMs", why = excluded.why, since = excluded.since, "updatedAt" = excluded."updatedAt"`,
    [slug, from, to, state, kind ?? null, latencyMs ?? null, why, minutes],
  )
