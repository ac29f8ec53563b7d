import type { Role } from '#lib/access/roles.ts'
import type { Organization } from '#lib/db/generated/client.ts'
import type { OrgSummary } from '#lib/trpc/views.ts'

/** An organization as lists and switchers show it, with the viewer's role in it. */
export const orgSummary = (
  { id, slug, name, kind, plan }: Pick<Organization, 'id' | 'slug' | 'name' | 'kind' | 'plan'>,
  role: Role,
): OrgSummary => ({ id, slug, name, kind, plan, role })
