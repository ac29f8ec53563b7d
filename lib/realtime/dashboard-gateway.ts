/** The namespace `/dashboard`: a signed-in person's pages hear that something changed, and ask for it by themselves. */
import { randomUUID } from 'node:crypto'
import { type DashboardClientEvents, type DashboardServerEvents, dashboardFrames } from '@agent-relay/protocol'
import type { Namespace } from 'socket.io'
import { requireMembership } from '#lib/access/authorize.ts'
import { userOfCookie } from '#lib/auth/session.ts'
import { DomainError, toWireError } from '#lib/errors.ts'
import type { Db, UserActor } from '#lib/services/context.ts'
import { answering } from './answer.ts'
import { coalesceHints } from './hints.ts'
import type { Log } from './log.ts'

export type DashboardNamespace = Namespace<
  DashboardClientEvents,
  DashboardServerEvents,
  Record<string, never>,
  { actor: UserActor; orgId?: string }
>

/** Whether the person is still signed in and a member is asked again this often; hints carry no data meanwhile. */
const recheckMs = 60_000

/** Returns how to stop. */
export function serveDashboard(namespace: DashboardNamespace, { db, log }: { db: Db; log: Log }): () => void {
  namespace.use((socket, next) => {
    userOfCookie(db, socket.handshake.headers.cookie).then(
      (actor) => {
        if (!actor) return next(refusal(new DomainError('UNAUTHENTICATED', 'Sign in to see the organization live.')))
        socket.data = { actor }
        next()
      },
      (error) => {
        log.error({ err: error }, 'dashboard not authenticated')
        next(refusal(error))
      },
    )
  })
  namespace.on('connection', (socket) => {
    const { answer } = answering(socket, log)
    answer('subscribe', dashboardFrames.subscribe.input, async ({ org: wanted }) => {
      const { actor, orgId } = socket.data
      const { org } = await requireMembership({ db, actor, address: null, requestId: randomUUID() }, wanted)
      if (orgId) await socket.leave(orgId)
      socket.data.orgId = org.id
      await socket.join(org.id)
      return { done: true }
    })
  })
  const timer = setInterval(() => void recheck(namespace, db, log), recheckMs)
  const stopHints = coalesceHints((orgId, kinds) => namespace.to(orgId).emit('hint', { org: orgId, kinds }))
  return () => {
    clearInterval(timer)
    stopHints()
  }
}

async function recheck(namespace: DashboardNamespace, db: Db, log: Log): Promise<void> {
  for (const socket of namespace.sockets.values()) {
    const { actor, orgId } = socket.data
    try {
      const user = await userOfCookie(db, socket.handshake.headers.cookie)
      if (user && orgId) await requireMembership({ db, actor, address: null, requestId: randomUUID() }, orgId)
      if (!user) socket.disconnect(true)
    } catch (error) {
      if (error instanceof DomainError) socket.disconnect(true)
      // The database is away: the next round decides.
      else log.debug({ err: error }, 'dashboard not checked again')
    }
  }
}

const refusal = (error: unknown): Error => {
  const wire = toWireError(error)
  return Object.assign(new Error(wire.message), { data: wire })
}
