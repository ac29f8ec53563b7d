import type { Linked, LinkPollError } from '@agent-relay/protocol'
import type { z } from 'zod'
import { can } from '#lib/access/roles.ts'
import type { DeviceCode, User } from '#lib/db/generated/client.ts'
import { lockOrg, withTransaction } from '#lib/db/transaction.ts'
import { DomainError } from '#lib/errors.ts'
import { publish } from '#lib/realtime/bus.ts'
import { type Ctx, personName, type Tx } from '../context.ts'
import { admitMachine } from '../machines/admit-machine.ts'
import { hashCode } from './codes.ts'

export type PollOutcome =
  | { ok: true; linked: Linked }
  | { ok: false; error: z.infer<typeof LinkPollError>; description: string }

const failure = (error: z.infer<typeof LinkPollError>, description: string): PollOutcome => ({
  ok: false,
  error,
  description,
})
const pending = failure('authorization_pending', 'Nobody has approved this machine yet.')
const expired = failure('expired_token', 'This code has expired or was used. Run agent-relay link again.')
const denied = failure('access_denied', 'The request was denied in the browser.')

/**
 * The machine asks whether it was approved. The one poll that finds the approval makes the key and gets it; every later one
 * is told `expired_token`, so a copied device code is worth nothing afterwards.
 */
export async function pollLink(ctx: Ctx, input: { deviceCode: string }): Promise<PollOutcome> {
  const request = await ctx.db.deviceCode.findUnique({
    where: { deviceCodeHash: hashCode(input.deviceCode) },
    include: { approvedBy: true },
  })
  const now = new Date()
  if (!request || request.consumedAt || request.expiresAt <= now) return expired
  if (request.deniedAt) return denied
  if (!request.approvedAt) return wait(ctx, request, now)
  return consume(ctx, request)
}

/** RFC 8628 §3.5: whoever polls too fast waits 5 s longer from then on. */
async function wait(ctx: Ctx, request: DeviceCode, now: Date): Promise<PollOutcome> {
  const since = request.lastPolledAt ? now.getTime() - request.lastPolledAt.getTime() : Number.POSITIVE_INFINITY
  // Half a second of grace: a client that counts its seconds from the answer must not be punished for the way back.
  const isTooFast = since < request.pollIntervalS * 1000 - 500
  await ctx.db.deviceCode.update({
    where: { id: request.id },
    data: { lastPolledAt: now, ...(isTooFast && { pollIntervalS: Math.min(60, request.pollIntervalS + 5) }) },
  })
  if (!isTooFast) return pending
  return failure('slow_down', `Poll every ${Math.min(60, request.pollIntervalS + 5)} s from now on.`)
}

async function consume(ctx: Ctx, request: DeviceCode & { approvedBy: User | null }): Promise<PollOutcome> {
  const { orgId, approvedBy } = request
  if (!orgId || !approvedBy) return expired
  try {
    const linked = await withTransaction(ctx.db, (tx) => makeMachine(tx, ctx, { ...request, orgId, approvedBy }))
    if (!linked) return expired
    publish('roster', { orgId })
    publish('hint', { orgId, kinds: ['machines'] })
    return { ok: true, linked: linked.linked }
  } catch (error) {
    if (error instanceof DomainError) return failure('access_denied', error.message)
    throw error
  }
}

type Approved = DeviceCode & { orgId: string; approvedBy: User }

async function makeMachine(tx: Tx, ctx: Ctx, request: Approved): Promise<{ linked: Linked } | undefined> {
  await lockOrg(tx, request.orgId)
  const { count } = await tx.deviceCode.updateMany({
    where: { id: request.id, consumedAt: null },
    data: { consumedAt: new Date() },
  })
  if (count === 0) return undefined
  const membership = await tx.membership.findUnique({
    where: { orgId_userId: { orgId: request.orgId, userId: request.approvedBy.id } },
    include: { org: true },
  })
  if (!membership || !can(membership.role, 'machine.link'))
    throw new DomainError(
      'FORBIDDEN',
      'The person who approved this machine is no longer a member of the organization.',
    )
  const person = personName(request.approvedBy)
  const actor = { kind: 'user', userId: request.approvedBy.id, label: person } as const
  const { machine, key } = await admitMachine(
    tx,
    { ...ctx, actor, address: request.address },
    {
      org: membership.org,
      role: membership.role,
      name: request.machineName,
      publicKey: request.publicKey,
      platform: request.platform,
      version: request.version,
    },
  )
  const { id, slug, name } = membership.org
  return { linked: { api_key: key, machine: { id: machine.id, name: machine.name }, org: { id, slug, name }, person } }
}
