/** The ladder that every procedure climbs: public → signed in → member of this organization. Each rung narrows the types. */
import { initTRPC } from '@trpc/server'
import { z } from 'zod'
import { requireMembership } from '../access/authorize.ts'
import type { BrowserCtx } from '../auth/actor.ts'
import { DomainError } from '../errors.ts'
import type { Ctx, UserActor } from '../services/context.ts'
import { plainText } from '../services/plain-text.ts'
import { formatError, fromDomainError } from './errors.ts'

/** `isOwnPage`: sent by one of our own pages, or by the server itself while it renders one. */
export type TrpcContext = BrowserCtx & { isOwnPage: boolean }

// No transformer: the views hold numbers, texts and null only, which JSON carries as they are.
const t = initTRPC.context<TrpcContext>().create({
  errorFormatter: ({ shape, error, ctx }) => formatError(shape, error, ctx?.requestId ?? null),
})

export const { router, createCallerFactory } = t

const publicProcedure = t.procedure.use(async ({ ctx, type, next }) => {
  if (type === 'mutation' && !ctx.isOwnPage)
    throw fromDomainError(
      new DomainError(
        'FORBIDDEN',
        'This change was not sent by a page of this install: open the dashboard and try there.',
      ),
    )
  const result = await next()
  if (!result.ok && result.error.cause instanceof DomainError) throw fromDomainError(result.error.cause)
  return result
})

export const signedInProcedure = publicProcedure.use(({ ctx, next }) => {
  const { actor, db, address, requestId } = ctx
  if (!actor) throw new DomainError('UNAUTHENTICATED', 'You are signed out, or your session has ended: sign in again.')
  const person: Ctx<UserActor> = { actor, db, address, requestId }
  return next({ ctx: person })
})

/** An id or a slug. */
export const OrgRef = z.string().min(1).max(64)

export const orgProcedure = signedInProcedure
  .input(z.object({ org: OrgRef }))
  .use(async ({ ctx, input, next }) => next({ ctx: await requireMembership(ctx as Ctx<UserActor>, input.org) }))

/** What a person types into a filter; Postgres takes no NUL. */
export const Search = z.string().max(100).transform(plainText)
