'use client'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useCallback, useRef, useState } from 'react'
import { useTRPC, useTRPCClient } from '../shell/trpc.tsx'
import { joins, type Loaded, unfinished, withAgain, withNewest, withOlder } from './loaded.ts'

/** So many pages close a gap after a long sleep; a longer one starts the list anew. */
const MAX_GAP_PAGES = 10

/** One conversation: its newest page stays fresh, and `loadOlder` puts what came before above it. */
export function useConversation(org: string, key: string) {
  const trpc = useTRPC()
  const client = useTRPCClient()
  const queryClient = useQueryClient()
  const { queryKey } = trpc.inbox.get.queryOptions({ org, key })
  const held = () => queryClient.getQueryData(queryKey) as Loaded | undefined
  const get = (cursor?: string) => client.inbox.get.query({ org, key, ...(cursor !== undefined && { cursor }) })

  async function newest(): Promise<Loaded> {
    let fresh: Loaded = await get()
    for (let pages = 0; pages < MAX_GAP_PAGES && fresh.nextCursor !== null; pages++) {
      const before = held()
      if (!before || joins(before, fresh)) break
      fresh = withOlder(fresh, fresh.nextCursor, await get(fresh.nextCursor))
    }
    const before = held()
    const again = before ? await Promise.all(unfinished(before).map(get)) : []
    return again.reduce(withAgain, withNewest(held(), fresh))
  }
  const query = useQuery<Loaded>({ queryKey, queryFn: newest })

  const [older, setOlder] = useState<'idle' | 'loading' | 'failed'>('idle')
  const isLoading = useRef(false)
  const cursor = query.data?.nextCursor ?? null
  const loadOlder = useCallback(async () => {
    if (cursor === null || isLoading.current) return
    isLoading.current = true
    setOlder('loading')
    try {
      const page = await client.inbox.get.query({ org, key, cursor })
      queryClient.setQueryData<Loaded>(queryKey, (before) =>
        before?.nextCursor === cursor ? withOlder(before, cursor, page) : before,
      )
      setOlder('idle')
    } catch {
      setOlder('failed')
    } finally {
      isLoading.current = false
    }
  }, [client, queryClient, queryKey, org, key, cursor])
  return { query, older, loadOlder }
}
