import { RegisterRequest } from '@agent-relay/protocol'
import { z } from 'zod'
import { heartbeat } from '#lib/services/machines/heartbeat.ts'
import { registerMachine } from '#lib/services/machines/register-machine.ts'
import { revokeSelf } from '#lib/services/machines/revoke-machine.ts'
import { endpoint } from './endpoint.ts'

export const postDaemonRegister = endpoint({ who: 'machine', body: RegisterRequest }, ({ ctx, input }) =>
  registerMachine(ctx, input),
)

/** `bootId` names one run of the daemon: a new one begins a new session. */
const Heartbeat = z.object({ bootId: z.uuid(), version: z.string().max(40) })

export const postDaemonHeartbeat = endpoint({ who: 'machine', body: Heartbeat }, ({ ctx, input }) =>
  heartbeat(ctx, input),
)

export const deleteDaemonSelf = endpoint({ who: 'machine' }, ({ ctx }) => revokeSelf(ctx))
