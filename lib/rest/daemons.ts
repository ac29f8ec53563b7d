import { HeartbeatRequest, RegisterRequest } from '@agent-relay/protocol'
import { heartbeat } from '#lib/services/machines/heartbeat.ts'
import { registerMachine } from '#lib/services/machines/register-machine.ts'
import { revokeSelf } from '#lib/services/machines/revoke-machine.ts'
import { endpoint } from './endpoint.ts'

/** Proved by the identity that it registers, which is checked to be the one that is bound, or is bound now. */
export const postDaemonRegister = endpoint(
  {
    who: 'proved',
    body: RegisterRequest,
    by: ({ machineId = '', publicKey }) => ({ machineId, publicKey }),
  },
  ({ ctx, input }) => registerMachine(ctx, input),
)

export const postDaemonHeartbeat = endpoint({ who: 'proved', body: HeartbeatRequest }, ({ ctx, input }) =>
  heartbeat(ctx, input),
)

export const deleteDaemonSelf = endpoint({ who: 'proved' }, ({ ctx }) => revokeSelf(ctx))
