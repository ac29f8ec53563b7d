import { z } from 'zod'
import { createChannel } from '../../services/channels/create-channel.ts'
import { joinChannel, leaveChannel } from '../../services/channels/join-channel.ts'
import { listChannels } from '../../services/channels/list-channels.ts'
import { removeChannel } from '../../services/channels/remove-channel.ts'
import { updateChannel } from '../../services/channels/update-channel.ts'
import { TOPIC_CHARS } from '../../services/inbox/limits.ts'
import { plainText } from '../../services/plain-text.ts'
import { orgProcedure, router } from '../init.ts'

/** With or without `#`; the verbs say what a channel's name may be. */
const Name = z.string().trim().min(1).max(80).transform(plainText)
const Topic = z.string().trim().max(TOPIC_CHARS).transform(plainText).nullable()
const Membership = z.object({ name: Name, agent: z.string().min(1).max(64).transform(plainText).optional() })

export const channelsRouter = router({
  list: orgProcedure.query(({ ctx }) => listChannels(ctx)),
  create: orgProcedure
    .input(z.object({ name: Name, topic: Topic.optional() }))
    .mutation(({ ctx, input }) => createChannel(ctx, { name: input.name, topic: input.topic ?? null })),
  join: orgProcedure.input(Membership).mutation(({ ctx, input }) => joinChannel(ctx, input)),
  leave: orgProcedure.input(Membership).mutation(({ ctx, input }) => leaveChannel(ctx, input)),
  update: orgProcedure
    .input(z.object({ name: Name, topic: Topic }))
    .mutation(({ ctx, input }) => updateChannel(ctx, input)),
  remove: orgProcedure.input(z.object({ name: Name })).mutation(({ ctx, input }) => removeChannel(ctx, input)),
})
