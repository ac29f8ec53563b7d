/** Every URL of the app, in one place. Pure: the browser imports it too. */
const q = (params: Record<string, string | undefined>): string => {
  const search = new URLSearchParams(Object.entries(params).filter((entry): entry is [string, string] => !!entry[1]))
  return search.size > 0 ? `?${search}` : ''
}

export const paths = {
  home: () => '/',
  signIn: (callbackUrl?: string) => `/sign-in${q({ callbackUrl })}`,
  localSignIn: (token: string) => `/sign-in/local?token=${encodeURIComponent(token)}`,
  newOrg: () => '/new',
  link: (code?: string) => `/link${q({ code })}`,
  org: (slug: string) => `/o/${slug}`,
  agents: (slug: string) => `/o/${slug}/agents`,
  machines: (slug: string) => `/o/${slug}/machines`,
  /** `chosen` is a pair of machine ids, `ID.ID`, or one. */
  network: (slug: string, chosen?: string) => `/o/${slug}/network${q({ link: chosen })}`,
  messages: (slug: string, message?: string) => `/o/${slug}/messages${q({ message })}`,
  /** `conversation` is a key such as `agent:bob`. */
  inbox: (slug: string, conversation?: string) => `/o/${slug}/inbox${q({ with: conversation })}`,
  channels: (slug: string, channel?: string) => `/o/${slug}/channels${q({ channel })}`,
  settings: (slug: string) => `/o/${slug}/settings`,
  api: {
    health: () => '/api/health',
    ready: () => '/api/ready',
    trpc: () => '/api/trpc',
    socket: () => '/api/socket',
    reflect: () => '/api/reflect',
    package: () => '/agent-relay.tgz',
  },
} as const

/** Keeps the slug of the organization that one was in last. */
export const lastOrgCookie = 'agent-relay.org'

/** First path segments and words that no organization may have as its slug. */
export const reservedSlugs = new Set([
  'api',
  'sign-in',
  'sign-out',
  'new',
  'link',
  'o',
  'org',
  'orgs',
  'settings',
  'account',
  'admin',
  'agent-relay',
  'help',
  'docs',
  'about',
  'billing',
  'support',
  'status',
  'static',
  'public',
  'local',
  'me',
  'www',
])
