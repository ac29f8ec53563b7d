'use client'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef, useSyncExternalStore } from 'react'
import { useTRPC } from '../shell/trpc.tsx'

/** Whether somebody looks at this window, as far as a page can know. */
const useIsLookedAt = (): boolean =>
  useSyncExternalStore(
    (listener) => {
      window.addEventListener('focus', listener)
      window.addEventListener('blur', listener)
      document.addEventListener('visibilitychange', listener)
      return () => {
        window.removeEventListener('focus', listener)
        window.removeEventListener('blur', listener)
        document.removeEventListener('visibilitychange', listener)
      }
    },
    () => document.visibilityState === 'visible' && document.hasFocus(),
    () => false,
  )

/**
 * Says that messages were read, up to the newest one in sight (`upTo`), while somebody looks: agents are told it as `seen`, so it
 * must be true. Nothing is said while `upTo` is undefined.
 */
export function useMarkRead({
  org,
  key,
  unread,
  upTo,
}: {
  org: string
  key: string
  unread: number
  upTo: string | undefined
}): void {
  const trpc = useTRPC()
  const queryClient = useQueryClient()
  const isLookedAt = useIsLookedAt()
  const told = useRef<string>(undefined)
  const { mutate } = useMutation(
    trpc.inbox.markRead.mutationOptions({
      onSettled: (_, error) => {
        if (error) told.current = undefined
        for (const filter of [trpc.inbox.list.queryFilter(), trpc.orgs.pathFilter(), trpc.channels.pathFilter()])
          void queryClient.invalidateQueries(filter)
        void queryClient.invalidateQueries(trpc.inbox.get.queryFilter({ org, key }))
      },
    }),
  )
  useEffect(() => {
    if (!isLookedAt || unread === 0 || upTo === undefined || told.current === upTo) return
    told.current = upTo
    mutate({ org, key, upTo })
  }, [isLookedAt, unread, upTo, org, key, mutate])
}
