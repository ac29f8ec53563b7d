import { HeartbeatRequest, RegisterRequest } from '@agent-relay/protocol'
import { heartbeat } from '#lib/services/machines/heartbeat.ts'
import { registerMachine } from '#lib/services/machines/register-machine.ts'
import { revokeSelf } from '#lib/services/machines/revoke-machine.ts'
import { endpoint } from './endpoint.ts'

export const postDaemonRegister = endpoint({ who: 'machine', body: RegisterRequest }, ({ ctx, input }) =>
  registerMachine(ctx, input),
)

export const postDaemonHeartbeat = endpoint({ who: 'machine', body: HeartbeatRequest }, ({ ctx, input }) =>
  heartbeat(ctx, input),
)

export const deleteDaemonSelf = endpoint({ who: 'machine' }, ({ ctx }) => revokeSelf(ctx))
