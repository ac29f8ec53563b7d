/**
 * Known mistakes, each made by replacing exact pieces of the shipped source. The simulator must find every one of them; a
 * piece that is not there exactly once any more stops the build, and the variant has to be made anew.
 */

export type Replacement = { file: string; find: string; replace: string }
export type Variant = { name: string; mistake: string; replacements: Replacement[] }

export const VARIANTS: readonly Variant[] = [
  {
    name: 'ack-before-commit',
    mistake: 'answers and acknowledgements leave before the commit that they stand for',
    replacements: [
      {
        file: 'service/engine.ts',
        find: 'if (turn.mustCommit || isRead || pending.length > 2000) {',
        replace: 'if (isRead || pending.length > 2000) {',
      },
    ],
  },
  {
    name: 'time-window',
    mistake: 'what was seen in the last two minutes is a repeat, not what is below the watermark',
    replacements: [
      {
        file: 'core/inbox.ts',
        find: '  if (envelope.seq < stream.next) return\n',
        replace: `  const seen = seenBy.get(state.entropy) ?? new Map()
  seenBy.set(state.entropy, seen)
  const seenAt = seen.get(envelope.id)
  if (seenAt !== undefined && turn.now - seenAt < 120_000) return
  if (envelope.seq <= stream.next) seen.set(envelope.id, turn.now)
  if (envelope.seq < stream.next) {
    accept(state, stream, { envelope, at: turn.now }, turn)
    return
  }
`,
      },
      {
        file: 'core/inbox.ts',
        find: '  stream.next = envelope.seq + 1\n',
        replace: '  stream.next = Math.max(stream.next, envelope.seq + 1)\n',
      },
      {
        file: 'core/inbox.ts',
        find: 'export const inStreamKey =',
        replace: 'const seenBy = new WeakMap<object, Map<string, number>>()\nexport const inStreamKey =',
      },
    ],
  },
  {
    name: 'memory-dedup',
    mistake: 'the watermark is in memory only',
    replacements: [
      {
        file: 'store/recover.ts',
        find: '    stream.next = row.next\n',
        replace: '',
      },
    ],
  },
  {
    name: 'delete-on-hop',
    mistake: "the sender deletes on the relay's answer, carried or stored",
    replacements: [
      {
        file: 'core/relayed.ts',
        find: "    if (result.state === 'stored' && !entry.isStored) {\n",
        replace: `    if (result.state !== 'refused') {
      const about = { stream: stream.id, outboxEpoch: state.outboxEpoch, to: stream.machine }
      if (stream.entries[0] === entry) acknowledged(state, stream.machine, { ...about, upTo: entry.seq }, turn)
      continue
    }
    if (result.state === 'stored' && !entry.isStored) {
`,
      },
      {
        file: 'core/relayed.ts',
        find: "import { claimOf } from './agents.ts'\n",
        replace: "import { acknowledged } from './acknowledge.ts'\nimport { claimOf } from './agents.ts'\n",
      },
    ],
  },
  {
    name: 'no-reorder-gate',
    mistake: 'what comes early is accepted, and the watermark moves over what is missing',
    replacements: [
      {
        file: 'core/inbox.ts',
        find: '    hold(state, stream, envelope, turn)\n    return\n  }\n',
        replace: '  }\n',
      },
    ],
  },
  {
    name: 'gap-discarded',
    mistake: 'what comes early is acknowledged and thrown away',
    replacements: [
      {
        file: 'core/inbox.ts',
        find: '    hold(state, stream, envelope, turn)\n    return\n',
        replace:
          '    accept(state, stream, { envelope: { ...envelope, isVoid: true }, at: turn.now }, turn)\n    return\n',
      },
    ],
  },
  {
    name: 'memory-sequence',
    mistake: 'the next place of a stream is in memory only',
    replacements: [
      {
        file: 'store/recover.ts',
        find: '    stream.nextSeq = Math.max(stream.nextSeq, row.next)\n    stream.sentTo = row.sent_to\n',
        replace: '',
      },
    ],
  },
  {
    name: 'sender-clock',
    mistake: "the recipient ends a time to live by the sender's clock",
    replacements: [
      {
        file: 'core/inbox.ts',
        find: 'expiresAt: turn.now + Math.min(ttlMs, MAX_TTL_MS),',
        replace: 'expiresAt: envelope.ts + Math.min(ttlMs, MAX_TTL_MS),',
      },
    ],
  },
  {
    name: 'forgotten-place',
    mistake: 'that a place of a stream has left this machine is in memory only',
    replacements: [
      {
        file: 'store/recover.ts',
        find: '    stream.sentTo = row.sent_to\n',
        replace: '',
      },
    ],
  },
  {
    name: 'no-outbox-epoch',
    mistake: 'a disk that was lost goes on under the epoch of the one before',
    replacements: [
      {
        file: 'store/database.ts',
        find: ".run(randomBytes(8).toString('hex'))",
        replace: ".run('always the same')",
      },
    ],
  },
  {
    name: 'mailbox-forgotten',
    mistake: 'what came too early by the relay is acknowledged only by the direct link that filled the hole before it',
    replacements: [
      {
        file: 'core/inbox.ts',
        find: '  if (stream.next > first && stream.relayedTo >= first) state.toAck.set(stream, true)\n',
        replace: '',
      },
    ],
  },
  {
    name: 'both-decide',
    mistake: 'of two links each end keeps the one that it likes, and closes the other',
    replacements: [
      {
        file: 'peers/manager/state.ts',
        find: 'state.publicKey > peer.publicKey',
        replace: 'state.publicKey !== peer.publicKey',
      },
    ],
  },
  {
    name: 'own-role',
    mistake: 'of two links each end keeps the one that it dialed',
    replacements: [
      {
        file: 'peers/manager/choose.ts',
        find: "const isOfGreater = ({ role }: Link): boolean => (role === 'dialer') === decides(state, peer)",
        replace: "const isOfGreater = ({ role }: Link): boolean => role === 'dialer'",
      },
      {
        file: 'peers/manager/choose.ts',
        find: '  if (!decides(state, peer) || !current.isProven) return\n',
        replace: '  if (!current.isProven) return\n',
      },
    ],
  },
  {
    name: 'nobody-decides',
    mistake: 'of two links both stay',
    replacements: [
      {
        file: 'peers/manager/choose.ts',
        find: '  if (!decides(state, peer) || !current.isProven) return\n',
        replace: '  if (current.isProven || !current.isProven) return\n',
      },
    ],
  },
  {
    name: 'silence-believed',
    mistake: 'a link that says nothing is kept',
    replacements: [
      {
        file: 'peers/manager/limits.ts',
        find: 'export const DEAD_MS = 6_500\n',
        replace: 'export const DEAD_MS = 7 * 86_400_000\n',
      },
    ],
  },
  {
    name: 'unbound-proof',
    mistake: 'the proofs of a handshake do not stand for the TLS session that they are made on',
    replacements: [
      {
        file: 'peers/handshake.ts',
        find: '    const { nonce, binding, peerKey } = connection\n',
        replace: "    const { nonce, peerKey } = connection\n    const binding = ''\n",
      },
      {
        file: 'peers/handshake.ts',
        find: 'function listen({ nonce, binding, peerKey }: Connection, expects?: string): Listening {\n',
        replace:
          "function listen({ nonce, peerKey }: Connection, expects?: string): Listening {\n    const binding = ''\n",
      },
    ],
  },
  {
    name: 'unread-finish',
    mistake: "the listener does not look at the dialer's proof",
    replacements: [
      {
        file: 'peers/handshake.ts',
        find: 'read.data.proof)) return',
        replace: "read.data.proof) && digest === '') return",
      },
    ],
  },
  {
    name: 'revoked-stays',
    mistake: 'who leaves the roster gets no new link and keeps the one that it has',
    replacements: [
      {
        file: 'peers/manager/index.ts',
        find: '    if (known === undefined || known.publicKey !== peer.publicKey) {\n',
        replace: '    if (known === undefined) continue\n    if (known.publicKey !== peer.publicKey) {\n',
      },
    ],
  },
  {
    name: 'endless-doubt',
    mistake: 'a doubt about the only link is never over, and wakes the manager again and again',
    replacements: [
      {
        file: 'peers/manager/choose.ts',
        find: '  if (current === null) return\n  if (current.doubt',
        replace: '  if (current === null || peer.spares.length === 0) return\n  if (current.doubt',
      },
    ],
  },
  {
    name: 'hasty-punch',
    mistake: 'two behind routers do not try to meet when one of them does not know yet how it is seen from outside',
    replacements: [
      {
        file: 'peers/manager/punch.ts',
        find: '  if (!state.canPunch || !state.isOnline || !decides(state, peer) || peer.current !== null) return\n',
        replace:
          '  if (!state.canPunch || !state.isOnline || !decides(state, peer) || peer.current !== null) return\n  if (punchedOf(peer) === undefined) return\n',
      },
    ],
  },
  {
    name: 'removed-waited-for',
    mistake: 'what the cloud kept for a machine that was removed waits for its time to end',
    replacements: [
      {
        file: 'core/link.ts',
        find: '  leaveRemoved(state, turn)\n',
        replace: '',
      },
    ],
  },
]
