/** "Is it sold?": limits by plan, in one table. Infinity means no limit. Pure. */
const plans = ['free', 'pro', 'team', 'enterprise'] as const
export type Plan = (typeof plans)[number]

export type Limits = { workspaces: number; agents: number; machines: number }

export const limits: Record<Plan, Limits> = {
  free: { workspaces: 1, agents: 3, machines: 1 },
  pro: { workspaces: 5, agents: 20, machines: 5 },
  team: { workspaces: Number.POSITIVE_INFINITY, agents: 50, machines: Number.POSITIVE_INFINITY },
  enterprise: {
    workspaces: Number.POSITIVE_INFINITY,
    agents: Number.POSITIVE_INFINITY,
    machines: Number.POSITIVE_INFINITY,
  },
}

/** Free and Pro count the agents of the whole organization; Team and Enterprise those of each person ("50 agents per user"). */
export const isPerPerson = (plan: Plan): boolean => plan === 'team' || plan === 'enterprise'

/** How many agents an organization with this many members may hold in all. */
export const agentLimit = (plan: Plan, members: number): number =>
  limits[plan].agents * (isPerPerson(plan) ? members : 1)

export const planNames: Record<Plan, string> = { free: 'Free', pro: 'Pro', team: 'Team', enterprise: 'Enterprise' }
