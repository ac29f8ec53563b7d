/** Every variable of the control plane, described once. The only reader of process.env; .env.example is written from here. */
import { existsSync } from 'node:fs'
import { z } from 'zod'
import { OperatorError } from './operator-error.ts'

const url = (protocols: RegExp, expected: string) =>
  z
    .string()
    .refine((value) => URL.canParse(value) && protocols.test(new URL(value).protocol), { message: expected })
    .meta({ expected })

const httpUrl = url(/^https?:$/, 'an http:// or https:// URL').transform((value) => value.replace(/\/+$/, ''))
const secret = (minimum: number) => z.string().min(minimum, { message: `at least ${minimum} characters` })
const text = z.string().min(1)

/** `secret: true` keeps the value out of every message. `example` goes into .env.example, commented out. */
type Meta = { description: string; group: string; secret?: boolean; example?: string }
const described = <T extends z.ZodType>(schema: T, meta: Meta): T => schema.meta({ ...meta }) as T

const server = 'Server'
const database = 'Database'
const github = 'Sign-in with GitHub (without it: the one-time link on this computer)'
const mail = 'Mail (not used yet)'
const billing = 'Billing with Stripe (not used yet; without it every organization has the plan team)'

export const envSchema = z.object({
  PORT: described(z.coerce.number({ message: 'a port from 0 to 65535' }).int().min(0).max(65535).default(3000), {
    description: 'Port of pages, API and sockets. 0 takes any free one.',
    group: server,
  }),
  HOST: described(text.default('127.0.0.1'), {
    description: 'Address to listen on; 0.0.0.0 serves other computers too.',
    group: server,
  }),
  PUBLIC_URL: described(httpUrl.optional(), {
    description: 'Where browsers and daemons reach the control plane. Default: http://localhost:PORT.',
    group: server,
    example: 'https://relay.example.com',
  }),
  AUTH_SECRET: described(secret(32).optional(), {
    description:
      'Signs sessions and encrypts the keys of organizations, so keep it; at least 32 characters. Default: made once and kept in the data folder.',
    group: server,
    secret: true,
  }),
  LOG_LEVEL: described(
    z
      .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
        message: 'one of fatal, error, warn, info, debug, trace, silent',
      })
      .default('info'),
    { description: 'fatal, error, warn, info, debug, trace or silent.', group: server },
  ),
  DATABASE_URL: described(url(/^postgres(ql)?:$/, 'a postgres:// URL').optional(), {
    description: 'A Postgres 15 or newer. Default: an embedded one in RELAY_DATA_DIR.',
    group: database,
    secret: true,
    example: 'postgresql://user:password@host:5432/agent_relay',
  }),
  RELAY_DATA_DIR: described(text.default('.relay'), {
    description: 'Folder of the embedded Postgres and of what is made once.',
    group: database,
  }),
  REDIS_URL: described(url(/^rediss?:$/, 'a redis:// URL').optional(), {
    description: 'Bus between several nodes (not used yet: one node).',
    group: database,
    secret: true,
  }),
  GITHUB_CLIENT_ID: described(text.optional(), { description: 'Client id of the OAuth app.', group: github }),
  GITHUB_CLIENT_SECRET: described(text.optional(), {
    description: 'Client secret of the OAuth app.',
    group: github,
    secret: true,
  }),
  GITHUB_URL: described(httpUrl.default('https://github.com'), {
    description: 'Web address of GitHub or of a GitHub Enterprise server.',
    group: github,
  }),
  GITHUB_API_URL: described(httpUrl.default('https://api.github.com'), {
    description: 'API address of the same; https://HOST/api/v3 on GitHub Enterprise.',
    group: github,
  }),
  SMTP_URL: described(url(/^smtps?:$/, 'an smtp:// or smtps:// URL').optional(), {
    description: 'Mail server for invitations.',
    group: mail,
    secret: true,
  }),
  MAIL_FROM: described(text.optional(), { description: 'Sender of mails.', group: mail }),
  STRIPE_SECRET_KEY: described(text.optional(), { description: 'Secret key.', group: billing, secret: true }),
  STRIPE_WEBHOOK_SECRET: described(text.optional(), {
    description: 'Signing secret of the webhook endpoint.',
    group: billing,
    secret: true,
  }),
  STRIPE_API_BASE: described(httpUrl.default('https://api.stripe.com'), {
    description: 'API address, for a test server.',
    group: billing,
  }),
  STRIPE_PRICE_PRO: described(text.optional(), { description: 'Price id of the plan pro.', group: billing }),
  STRIPE_PRICE_TEAM: described(text.optional(), { description: 'Price id of the plan team.', group: billing }),
})

export type Env = Omit<z.infer<typeof envSchema>, 'PUBLIC_URL'> & { PUBLIC_URL: string }

/**
 * Checks variables. An empty value counts as unset, as in a .env file.
 * @throws OperatorError BAD_VARIABLE with one line naming the first bad variable, its value (never a secret's) and what it expects.
 */
export function parseEnv(source: Record<string, string | undefined>): Env {
  const set = Object.fromEntries(Object.entries(source).filter(([, value]) => value !== undefined && value !== ''))
  const result = envSchema.safeParse(set)
  if (!result.success) throw badVariable(result.error.issues[0] as z.core.$ZodIssue, set)
  const env = result.data
  if (!env.GITHUB_CLIENT_ID !== !env.GITHUB_CLIENT_SECRET)
    throw new OperatorError(
      'BAD_VARIABLE',
      'GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET belong together, and one of them is unset: set both, or neither.',
    )
  return { ...env, PUBLIC_URL: env.PUBLIC_URL ?? `http://localhost:${env.PORT}` }
}

function badVariable(issue: z.core.$ZodIssue, set: Record<string, string | undefined>): OperatorError {
  const name = String(issue.path[0])
  const meta = (envSchema.shape[name as keyof typeof envSchema.shape] as z.ZodType).meta() as Meta
  const value = meta.secret ? '(a secret, not shown)' : JSON.stringify(set[name])
  const expected = issue.message.replace(/^Too small: expected |^Too big: expected |^Invalid input: /, '')
  return new OperatorError(
    'BAD_VARIABLE',
    `${name} is ${value} and must be ${expected}: change it in the environment or in .env.`,
  )
}

let parsed: Env | undefined

/** The checked variables of this process, .env included; read once, at the first call. */
export function env(): Env {
  if (!parsed) {
    loadEnvFile()
    parsed = parseEnv(process.env)
  }
  return parsed
}

/** Reads .env of the working folder, when there is one, under the variables that are already set. */
export function loadEnvFile(): void {
  if (existsSync('.env')) process.loadEnvFile('.env')
}
