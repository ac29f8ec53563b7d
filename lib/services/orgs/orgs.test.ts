import { readdirSync } from 'node:fs'
import { OrgSlug, toSlug } from '@agent-relay/protocol'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { requireMembership } from '#lib/access/authorize.ts'
import { paths, reservedSlugs } from '#lib/paths.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import { contextOf, foundTeam, signUp } from '#lib/testing/people.ts'
import { createOrg } from './create-org.ts'
import { getOrg } from './get-org.ts'
import { slugProblem } from './slug.ts'
import { updateOrg } from './update-org.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

test('every first segment of a route is a word that no organization can have', () => {
  const routes = readdirSync('app', { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && /^[a-z0-9-]+$/.test(entry.name))
    .map(({ name }) => name)
  expect(routes).toContain('api')
  const linked = [paths.signIn(), paths.newOrg(), paths.link(), paths.org('x'), paths.api.package()]
  for (const word of [...routes, ...linked.map((path) => path.split(/[/.]/)[1] as string)]) {
    expect(reservedSlugs).toContain(word)
    expect(slugProblem(word)).toContain('the app itself uses')
  }
})

test('whatever toSlug makes is a slug', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 100 }), (name) => {
      const slug = toSlug(name)
      if (slug !== undefined) expect(OrgSlug.safeParse(slug).success).toBe(true)
    }),
  )
  expect(toSlug("Zoë's Müllerei & Söhne GmbH")).toBe('zoes-mullerei-sohne-gmbh')
  expect(toSlug('日本')).toBeUndefined()
})

test('twenty people who create Acme at once get twenty organizations with different slugs', async () => {
  const people = await Promise.all(Array.from({ length: 20 }, (_, n) => signUp(database.db, `dev${n}`)))
  const orgs = await Promise.all(people.map((person) => createOrg(contextOf(database.db, person), { name: 'Acme' })))
  expect(new Set(orgs.map(({ slug }) => slug)).size).toBe(20)
  expect(orgs.map(({ slug }) => slug)).toContain('acme')
  for (const org of orgs) expect(org).toMatchObject({ name: 'Acme', kind: 'team', plan: 'team', role: 'owner' })
  expect(
    await database.db.auditEntry.count({ where: { action: 'org.create', orgId: { in: orgs.map(({ id }) => id) } } }),
  ).toBe(20)
})

test('a slug that was asked for and is taken is refused at its field, with a free one like it', async () => {
  const ctx = contextOf(database.db, await signUp(database.db, 'tara'))
  await createOrg(ctx, { name: 'Taken', slug: 'taken' })
  await expect(createOrg(ctx, { name: 'Other', slug: 'taken' })).rejects.toMatchObject({
    code: 'CONFLICT',
    details: { field: 'slug', suggestion: 'taken-2' },
  })
  for (const slug of ['settings', 'a b', '-a', 'ä', '00000000-0000-7000-8000-000000000000'])
    await expect(createOrg(ctx, { name: 'Other', slug })).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      details: { field: 'slug' },
    })
  await expect(createOrg(ctx, { name: '日本' })).rejects.toMatchObject({
    code: 'BAD_REQUEST',
    details: { field: 'slug' },
  })
  expect(await createOrg(ctx, { name: 'Settings' })).toMatchObject({ slug: 'settings-2' })
  expect(await database.db.organization.count({ where: { name: 'Other' } })).toBe(0)
})

test('of many renames at once the last one stands, and the audit log is their chain', async () => {
  const { owner, org } = await foundTeam(database.db, 'rita', 'Rename')
  const ctx = await requireMembership(contextOf(database.db, owner), org.id)
  await Promise.all(Array.from({ length: 10 }, (_, n) => updateOrg(ctx, { name: `Rename ${n}` })))
  const entries = await database.db.auditEntry.findMany({ where: { orgId: org.id, action: 'org.update' } })
  expect(entries).toHaveLength(10)
  const next = new Map(
    entries.map(({ before, after }) => [(before as { name: string }).name, (after as { name: string }).name]),
  )
  let name = 'Rename'
  for (let step = 0; step < 10; step++) name = next.get(name) as string
  expect(await getOrg(ctx)).toMatchObject({ members: 1, slug: 'rename', counts: { agents: 0, machines: 0 } })
  expect(await database.db.organization.findUniqueOrThrow({ where: { id: org.id } })).toMatchObject({
    name,
    rosterVersion: 10n,
  })
  await updateOrg(ctx, { name })
  expect(await database.db.auditEntry.count({ where: { orgId: org.id, action: 'org.update' } })).toBe(10)
})

test('a member may not rename, and nothing is changed or logged', async () => {
  const { org } = await foundTeam(database.db, 'omar', 'Quiet')
  const member = await signUp(database.db, 'mia')
  await database.db.membership.create({ data: { orgId: org.id, userId: member.userId, role: 'member' } })
  const ctx = await requireMembership(contextOf(database.db, member), 'quiet')
  await expect(updateOrg(ctx, { name: 'Loud' })).rejects.toMatchObject({
    code: 'FORBIDDEN',
    message: expect.stringContaining('owner or admin'),
  })
  expect(await database.db.auditEntry.count({ where: { orgId: org.id, action: 'org.update' } })).toBe(0)
})

test('a deleted organization is gone for its owner too', async () => {
  const { owner, org } = await foundTeam(database.db, 'dora', 'Gone')
  await database.db.organization.update({ where: { id: org.id }, data: { deletedAt: new Date() } })
  await expect(requireMembership(contextOf(database.db, owner), org.id)).rejects.toMatchObject({ code: 'NOT_FOUND' })
})
