/** What a proved machine may ask, and who answers it. */
import {
  ChannelHistoryQuery,
  ChannelMembership,
  isPlainBatch,
  machineFrames,
  RelayBatch,
  ReturnBatch,
  rosterIn,
  type SealKey,
} from '@agent-relay/protocol'
import { point } from '#lib/points.ts'
import { claimName } from '#lib/services/agents/claim-name.ts'
import { releaseName } from '#lib/services/agents/release-name.ts'
import { setStatus } from '#lib/services/agents/set-status.ts'
import { syncNames } from '#lib/services/agents/sync-names.ts'
import { joinAsAgent, leaveAsAgent } from '#lib/services/channels/agent-member.ts'
import { readHistory } from '#lib/services/channels/read-history.ts'
import { putSeals } from '#lib/services/machines/put-seals.ts'
import { answering, type Rate } from './answer.ts'
import type { Gateway } from './gateway.ts'
import { listenToLinks } from './link-frames.ts'
import type { MachineSession } from './machine-session.ts'

/** Envelopes a second from one machine; five times what one machine needs in the relay benchmark. */
const relayRate: Rate = { perSecond: 50_000, burst: 100_000 }

/** Each change is told to every machine of the organization; a daemon makes one a week. */
const keysRate: Rate = { perSecond: 1, burst: 10 }

export function listenTo(session: MachineSession, gateway: Gateway): void {
  const { directories, relay, traces, log } = gateway
  const { ctx } = session
  const { actor } = ctx
  const answers = answering(session.socket, log, session.speaks)
  const { answer } = answers
  answer('heartbeat', machineFrames.heartbeat.input, async ({ at }) => {
    session.lastBeatAt = Date.now()
    if (session.speaks < 3) return { at, now: Date.now() }
    const fresh = (await directories.open(actor.orgId)).fresh()
    return { at, now: Date.now(), fresh }
  })
  answer('agents.sync', machineFrames['agents.sync'].input, (input) => syncNames(ctx, input))
  answer('agents.claim', machineFrames['agents.claim'].input, async ({ agent }) => ({
    result: await claimName(ctx, agent),
  }))
  answer('agents.status', machineFrames['agents.status'].input, (input) => setStatus(ctx, input))
  answer('agents.release', machineFrames['agents.release'].input, (input) => releaseName(ctx, input))
  // The delta goes out before the answer: whoever has joined can address the channel at once.
  const withRoster = async <T>(value: T): Promise<T> => {
    await (await directories.open(actor.orgId)).refresh()
    return value
  }
  answer('channels.join', ChannelMembership, async (input) => withRoster(await joinAsAgent(ctx, input)))
  answer('channels.leave', ChannelMembership, async (input) => withRoster(await leaveAsAgent(ctx, input)))
  answer('channels.history', ChannelHistoryQuery, (input) => readHistory(ctx, input))
  answer('roster.get', machineFrames['roster.get'].input, async () => {
    const directory = await directories.open(actor.orgId)
    return session.speaks < 3 ? rosterIn(session.speaks, directory.roster) : directory.signed()
  })
  // As with a channel: whoever has changed its keys can be written to by the new one at once.
  const takeKeys = async ({ seals }: { seals: SealKey[] }) => {
    await putSeals(ctx, seals)
    return withRoster({ done: true })
  }
  answer('keys.put', machineFrames['keys.put'].input, takeKeys, { rate: keysRate })
  const carry = async ({ envelopes }: RelayBatch) => {
    const results = await relay.relay(actor, envelopes)
    point('relay.answer')
    return { results }
  }
  answer('relay', RelayBatch, carry, {
    rate: relayRate,
    cost: ({ envelopes }) => envelopes.length,
    isPlain: isPlainBatch,
  })
  answer('return', ReturnBatch, (batch) => relay.giveBack(actor, batch).then(() => ({ done: true })), {
    rate: relayRate,
    cost: ({ acks, gaps, receipts, heard = [] }) => acks.length + gaps.length + receipts.length + heard.length + 1,
  })
  answer('traces', machineFrames.traces.input, async ({ traces: reports }) => {
    await traces.write(reports.map((report) => ({ orgId: actor.orgId, machineId: actor.machineId, report })))
    return { done: true }
  })
  listenToLinks(session, gateway, answers)
}
