/** "May you?": one table that the server checks and the pages read. Pure. */
const roles = ['owner', 'admin', 'member'] as const
export type Role = (typeof roles)[number]

const table = {
  'org.read': ['owner', 'admin', 'member'],
  'org.update': ['owner', 'admin'],
  'machine.link': ['owner', 'admin', 'member'],
  'machine.createKey': ['owner', 'admin'],
  /** Anybody may revoke a machine of their own; this is for other people's. */
  'machine.revokeAny': ['owner', 'admin'],
  /** Whether a copy of every body is kept where all who may read messages can read it. */
  'archive.set': ['owner', 'admin'],
  'message.read': ['owner', 'admin', 'member'],
  /** One's own inbox, and writing to agents and channels from it. */
  'inbox.use': ['owner', 'admin', 'member'],
  /** Making channels, and who is in them. */
  'channel.write': ['owner', 'admin', 'member'],
  /** Whoever made a channel may remove it; this is for other people's. */
  'channel.removeAny': ['owner', 'admin'],
  'audit.read': ['owner', 'admin'],
} as const satisfies Record<string, readonly Role[]>

export type Permission = keyof typeof table

/** Whether this role holds this permission. */
export const can = (role: Role, permission: Permission): boolean =>
  (table[permission] as readonly Role[]).includes(role)

/** The roles that hold this permission, highest first. */
export const rolesWith = (permission: Permission): readonly Role[] => table[permission]
