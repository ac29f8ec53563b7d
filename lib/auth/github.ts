/** Sign-in with GitHub. The same two URLs serve github.com, GitHub Enterprise Server and an emulator. */
import type { OAuthConfig } from 'next-auth/providers/oauth'
import type { Env } from '#lib/env.ts'

type Profile = { id: number; login: string; name?: string; avatar_url?: string; email?: string }
type Email = { email: string; primary: boolean; verified: boolean }

/** The provider as next-auth takes it, or undefined while no OAuth app is configured. */
export function githubProvider(env: Env): OAuthConfig<Profile> | undefined {
  const { GITHUB_CLIENT_ID: clientId, GITHUB_CLIENT_SECRET: clientSecret, GITHUB_URL: web, GITHUB_API_URL: api } = env
  if (!clientId || !clientSecret) return undefined
  return {
    id: 'github',
    name: 'GitHub',
    type: 'oauth',
    clientId,
    clientSecret,
    client: { token_endpoint_auth_method: 'client_secret_post' },
    checks: ['pkce', 'state'],
    issuer: `${web}/login/oauth`,
    authorization: { url: `${web}/login/oauth/authorize`, params: { scope: 'read:user user:email' } },
    token: `${web}/login/oauth/access_token`,
    userinfo: {
      url: `${api}/user`,
      async request({ client, tokens }) {
        const profile = await client.userinfo<Profile>(tokens.access_token ?? '')
        return { ...profile, sub: String(profile.id), email: await verifiedEmail(api, tokens.access_token ?? '') }
      },
    },
    profile: ({ id, login, name, avatar_url, email }) => ({
      id: String(id),
      name: name || login,
      handle: login,
      email: email ?? null,
      image: trustedImage(avatar_url, env),
    }),
  }
}

/** The primary address when GitHub has verified it, else any verified one; a public profile may show one that nobody verified. */
async function verifiedEmail(api: string, token: string): Promise<string | undefined> {
  const response = await fetch(`${api}/user/emails`, {
    headers: { authorization: `token ${token}`, accept: 'application/vnd.github+json', 'user-agent': 'agent-relay' },
    signal: AbortSignal.timeout(10_000),
  })
  if (!response.ok) return undefined
  const verified = ((await response.json()) as Email[]).filter((entry) => entry.verified)
  return (verified.find((entry) => entry.primary) ?? verified[0])?.email
}

/** Pictures come from the configured GitHub only: any other host would learn who looks at whom. */
function trustedImage(url: string | null | undefined, env: Env): string | null {
  if (!url || !URL.canParse(url)) return null
  const { host, protocol } = new URL(url)
  const web = new URL(env.GITHUB_URL).host
  const hosts = [web, `avatars.${web}`, new URL(env.GITHUB_API_URL).host]
  if (web === 'github.com') hosts.push('avatars.githubusercontent.com')
  return /^https?:$/.test(protocol) && hosts.includes(host) ? url : null
}
