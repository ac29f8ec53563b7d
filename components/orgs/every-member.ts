import type { OrgView } from '#lib/trpc/views.ts'
import { plural } from '../format/format.ts'

/** Whoever may read what the archive has, in words. */
export const everyMember = ({ members }: Pick<OrgView, 'members'>): string =>
  members === 1 ? 'the one member' : `all ${plural(members, 'member')}`
