'use client'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useCallback } from 'react'
import { useTRPC } from '../shell/trpc.tsx'
import { useDraft } from './use-draft.ts'

type Outgoing = { body: string; thread: string | null; replyTo: string | null }

/** The draft, and the way out for it: the text stays where it is until the control plane has it. */
export function useSending(org: string, { key, to }: { key: string; to: string }) {
  const trpc = useTRPC()
  const queryClient = useQueryClient()
  const [text, setText] = useDraft(org, key)
  const mutation = useMutation(
    trpc.inbox.send.mutationOptions({
      // Its row is there before the field is empty: what was written is always in sight.
      onSuccess: () => queryClient.invalidateQueries(trpc.inbox.get.queryFilter({ org, key })),
      onSettled: () => void queryClient.invalidateQueries(trpc.inbox.list.queryFilter({ org })),
    }),
  )
  const { mutate, isPending } = mutation
  const send = useCallback(
    ({ body, thread, replyTo }: Outgoing, onSent?: () => void) => {
      if (isPending) return
      const input = { org, to, body, ...(thread !== null && { thread }), ...(replyTo !== null && { replyTo }) }
      mutate(input, { onSuccess: onSent })
    },
    [mutate, isPending, org, to],
  )
  return { text, setText, send, isSending: isPending, error: mutation.error && sentenceOf(mutation.error) }
}

/** A refusal says its own; without an answer nobody knows, and that is said. */
const sentenceOf = (error: { message: string; data?: unknown }): string =>
  error.data
    ? error.message
    : 'The control plane did not answer, so it may have the message already: look above before you send it again.'
