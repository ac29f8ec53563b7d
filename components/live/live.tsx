'use client'
import type { DashboardHint } from '@agent-relay/protocol'
import { useQueryClient } from '@tanstack/react-query'
import { createContext, type ReactNode, use, useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { useTRPC } from '../shell/trpc.tsx'

type Kind = DashboardHint['kinds'][number]
export type LiveState = 'connecting' | 'live' | 'lost'
type Live = { state: LiveState; isPaused: boolean; togglePause: () => void }

const LiveContext = createContext<Live | null>(null)

/** Hints that come closer together than this share one refetch, ms. */
const GATHER_MS = 300

/** Keeps the organization's queries fresh while its pages are open. */
export function LiveProvider({ org, children }: { org: string; children: ReactNode }) {
  const [state, setState] = useState<LiveState>('connecting')
  const [isPaused, setPaused] = useState(false)
  const refresh = useRefresh()
  const pending = useRef(new Set<Kind>())
  const paused = useRef(false)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)

  const flush = useCallback(() => {
    timer.current = undefined
    if (paused.current || pending.current.size === 0) return
    const kinds = [...pending.current]
    pending.current.clear()
    refresh(kinds)
  }, [refresh])

  useEffect(() => {
    let isGone = false
    let socket: { retryNow: () => void; close: () => void } | undefined
    const note = (kinds: readonly Kind[]) => {
      for (const kind of kinds) pending.current.add(kind)
      timer.current ??= setTimeout(flush, GATHER_MS)
    }
    void import('./dashboard-socket.ts').then(({ openDashboardSocket }) => {
      if (isGone) return
      socket = openDashboardSocket(org, {
        onLive: () => {
          setState('live')
          note(['agents', 'machines', 'messages', 'org', 'inbox', 'channels', 'network'])
        },
        onLost: () => setState('lost'),
        onHint: note,
      })
    })
    const onVisible = () => document.visibilityState === 'visible' && socket?.retryNow()
    document.addEventListener('visibilitychange', onVisible)
    window.addEventListener('online', onVisible)
    return () => {
      isGone = true
      document.removeEventListener('visibilitychange', onVisible)
      window.removeEventListener('online', onVisible)
      clearTimeout(timer.current)
      timer.current = undefined
      socket?.close()
    }
  }, [org, flush])

  const togglePause = useCallback(() => {
    paused.current = !paused.current
    setPaused(paused.current)
    flush()
  }, [flush])

  const live = useMemo(() => ({ state, isPaused, togglePause }), [state, isPaused, togglePause])
  return <LiveContext value={live}>{children}</LiveContext>
}

/** State of the live connection; throws outside of an organization's pages. */
export function useLive(): Live {
  const live = use(LiveContext)
  if (!live) throw new Error('useLive is for the pages of an organization')
  return live
}

/** Which queries a hint makes old. */
function useRefresh(): (kinds: readonly Kind[]) => void {
  const trpc = useTRPC()
  const queryClient = useQueryClient()
  return useCallback(
    (kinds) => {
      const has = (...wanted: Kind[]) => wanted.some((kind) => kinds.includes(kind))
      const stale = [
        trpc.orgs.pathFilter(),
        trpc.overview.pathFilter(),
        has('agents', 'machines', 'messages') && trpc.agents.pathFilter(),
        has('agents', 'machines', 'messages') && trpc.machines.pathFilter(),
        has('agents', 'machines', 'network') && trpc.network.pathFilter(),
        has('messages') && trpc.messages.pathFilter(),
        has('agents', 'inbox', 'channels') && trpc.inbox.pathFilter(),
        has('agents', 'inbox', 'channels') && trpc.channels.pathFilter(),
        has('org') && trpc.me.pathFilter(),
      ]
      for (const filter of stale) if (filter) void queryClient.invalidateQueries(filter)
    },
    [trpc, queryClient],
  )
}
