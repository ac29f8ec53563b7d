import type { AgentStatus } from '@agent-relay/protocol'
import type { ReactNode } from 'react'
import type { MachineRow } from '#lib/trpc/views.ts'
import { cn } from '../ui/cn.ts'

/** Shape first, then colour, then the word: disc, ring, half disc, dash, cross. */
const shapes = {
  disc: <circle cx="5" cy="5" r="4" fill="var(--ok-fill)" />,
  ring: <circle cx="5" cy="5" r="3.25" fill="none" stroke="var(--ok-fill)" strokeWidth="1.5" />,
  half: (
    <>
      <circle cx="5" cy="5" r="3.25" fill="none" stroke="var(--warn-fill)" strokeWidth="1.5" />
      <path d="M5 1a4 4 0 0 1 0 8z" fill="var(--warn-fill)" />
    </>
  ),
  dash: <path d="M2 5h6" stroke="var(--off-fill)" strokeWidth="1.75" strokeLinecap="round" />,
  cross: <path d="m2 2 6 6M8 2 2 8" stroke="var(--fail-fill)" strokeWidth="1.6" strokeLinecap="round" />,
}

export function Shape({ kind }: { kind: keyof typeof shapes }) {
  return (
    <svg width="10" height="10" viewBox="0 0 10 10" aria-hidden className="shrink-0">
      {shapes[kind]}
    </svg>
  )
}

function Status({ kind, tone, children }: { kind: keyof typeof shapes; tone?: string; children: ReactNode }) {
  return (
    <span className={cn('inline-flex items-center gap-1.5 align-middle whitespace-nowrap', tone)}>
      <Shape kind={kind} />
      {children}
    </span>
  )
}

const agentShape: Record<AgentStatus, keyof typeof shapes> = {
  online: 'disc',
  working: 'disc',
  idle: 'ring',
  waiting: 'half',
  offline: 'dash',
}

export function AgentStatusMark({ status }: { status: AgentStatus }) {
  return (
    <Status
      kind={agentShape[status]}
      tone={status === 'waiting' ? 'text-warn' : status === 'offline' ? 'text-off' : ''}
    >
      {status}
    </Status>
  )
}

/** The shape alone, for a row that names the agent right after it; the word is there for screen readers. */
export function AgentShape({ status }: { status: AgentStatus }) {
  return (
    <span className="inline-flex size-4 shrink-0 items-center justify-center" title={status}>
      <Shape kind={agentShape[status]} />
      <span className="sr-only">{status}</span>
    </span>
  )
}

const machineWords: Record<MachineRow['state'], { kind: keyof typeof shapes; word: string; tone: string }> = {
  online: { kind: 'disc', word: 'online', tone: '' },
  offline: { kind: 'dash', word: 'offline', tone: 'text-off' },
  keyOnly: { kind: 'dash', word: 'key unused', tone: 'text-off' },
  revoked: { kind: 'cross', word: 'revoked', tone: 'text-fail' },
}

export function MachineStatusMark({ state }: { state: MachineRow['state'] }) {
  const { kind, word, tone } = machineWords[state]
  return (
    <Status kind={kind} tone={tone}>
      {word}
    </Status>
  )
}
