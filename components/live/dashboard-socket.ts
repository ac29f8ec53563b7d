/** The dashboard's socket: says when something changed, never what. Loaded after the page, so that the page comes first. */
import {
  DASHBOARD_NAMESPACE,
  type DashboardClientEvents,
  type DashboardHint,
  type DashboardServerEvents,
  SOCKET_PATH,
} from '@agent-relay/protocol'
import { io, type Socket } from 'socket.io-client'
import { backoffMs } from './backoff.ts'

export type Handlers = {
  /** Subscribed: from now on hints come. Whatever changed before is unknown. */
  onLive: () => void
  /** Connection lost; `retryAt` is ms since 1970. */
  onLost: (retryAt: number) => void
  onHint: (kinds: DashboardHint['kinds']) => void
}

/** Subscribes to one organization until `close`; reconnects for ever with full jitter. */
export function openDashboardSocket(org: string, handlers: Handlers): { retryNow: () => void; close: () => void } {
  const socket: Socket<DashboardServerEvents, DashboardClientEvents> = io(DASHBOARD_NAMESPACE, {
    path: SOCKET_PATH,
    transports: ['websocket'],
    reconnection: false,
  })
  let attempt = 0
  let isClosed = false
  let timer: ReturnType<typeof setTimeout> | undefined

  function retryLater() {
    if (isClosed) return
    clearTimeout(timer)
    const wait = backoffMs(attempt++)
    handlers.onLost(Date.now() + wait)
    timer = setTimeout(retryNow, wait)
  }
  function retryNow() {
    clearTimeout(timer)
    if (!isClosed && !socket.connected) socket.connect()
  }

  socket.on('connect', async () => {
    try {
      const answer = await socket.timeout(5000).emitWithAck('subscribe', { org })
      if (!answer.ok) throw new Error(answer.error.message)
      attempt = 0
      handlers.onLive()
    } catch {
      // 'disconnect' follows and plans the next try.
      socket.disconnect()
    }
  })
  socket.on('connect_error', retryLater)
  socket.on('disconnect', retryLater)
  socket.on('hint', (hint) => handlers.onHint(hint.kinds))
  return {
    retryNow,
    close: () => {
      isClosed = true
      clearTimeout(timer)
      socket.close()
    },
  }
}
