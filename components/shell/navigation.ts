/** What one can go to within an organization. The keys follow `G`. */
import { Bot, Gauge, Hash, Inbox, Laptop, type LucideIcon, MessagesSquare, Settings2, Waypoints } from 'lucide-react'
import { paths } from '#lib/paths.ts'
import type { OrgCounts } from '#lib/trpc/views.ts'

export type Destination = {
  label: string
  icon: LucideIcon
  key: string
  href: (slug: string) => string
  count?: (counts: OrgCounts) => number
  isOrganization?: true
}

export const destinations: readonly Destination[] = [
  { label: 'Overview', icon: Gauge, key: 'O', href: paths.org },
  { label: 'Inbox', icon: Inbox, key: 'I', href: (slug) => paths.inbox(slug) },
  { label: 'Agents', icon: Bot, key: 'A', href: paths.agents, count: (counts) => counts.agents },
  { label: 'Machines', icon: Laptop, key: 'M', href: paths.machines, count: (counts) => counts.machines },
  { label: 'Network', icon: Waypoints, key: 'N', href: (slug) => paths.network(slug) },
  { label: 'Messages', icon: MessagesSquare, key: 'E', href: (slug) => paths.messages(slug) },
  { label: 'Channels', icon: Hash, key: 'C', href: (slug) => paths.channels(slug) },
  { label: 'Settings', icon: Settings2, key: 'S', href: paths.settings, isOrganization: true },
]
