'use client'
import { type QueryClient, useMutation, useQueryClient } from '@tanstack/react-query'
import { useTRPC } from '../shell/trpc.tsx'
import { notify } from '../ui/notify.ts'

/** The changes that one click makes: joining, leaving, adding and removing agents. What was refused is said at the corner. */
export function useMembership() {
  const trpc = useTRPC()
  const queryClient = useQueryClient()
  const options = {
    onSuccess: () => refreshChannels(queryClient, trpc),
    onError: (error: { message: string }) => notify('error', error.message),
  }
  const join = useMutation(trpc.channels.join.mutationOptions(options))
  const leave = useMutation(trpc.channels.leave.mutationOptions(options))
  return { join, leave, isChanging: join.isPending || leave.isPending }
}

/** Whatever shows channels asks again; done when the channels themselves have. */
export async function refreshChannels(queryClient: QueryClient, trpc: ReturnType<typeof useTRPC>): Promise<void> {
  void queryClient.invalidateQueries(trpc.inbox.pathFilter())
  void queryClient.invalidateQueries(trpc.orgs.pathFilter())
  await queryClient.invalidateQueries(trpc.channels.pathFilter())
}
