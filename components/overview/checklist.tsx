'use client'
import { Check } from 'lucide-react'
import type { ReactNode } from 'react'
import type { ChecklistStep } from '#lib/trpc/views.ts'
import { Ago } from '../format/time.tsx'
import { installCommand, linkCommand } from '../machines/commands.ts'
import { Shape } from '../marks/status.tsx'
import { cn } from '../ui/cn.ts'
import { Command } from '../ui/copy.tsx'
import { Waiting } from '../ui/empty.tsx'
import { Bone } from '../ui/skeleton.tsx'

type Words = { title: string; body: ReactNode; commands: string[]; waiting: string }

function wordsOf(origin: string): Record<ChecklistStep['key'], Words> {
  return {
    organization: { title: 'Create the organization', body: null, commands: [], waiting: '' },
    machine: {
      title: 'Link this machine',
      body: 'Run this in any terminal, then confirm the code that it prints.',
      commands: [linkCommand(origin)],
      waiting: 'Waiting for a machine to link · needs Node 22.13 or later',
    },
    agent: {
      title: 'Start an agent',
      body: 'Install the command once. Any line program can be an agent; cat shows what arrives.',
      commands: [installCommand(origin), 'agent-relay run Alice -- cat'],
      waiting: 'Waiting for the first agent',
    },
    secondAgent: {
      title: 'Start another, here or on a second machine',
      body: 'In another terminal, or after linking a second machine the same way.',
      commands: ['agent-relay run Bob -- cat'],
      waiting: 'Waiting for a second agent',
    },
    message: {
      title: 'Send the first message',
      body: 'Bob’s terminal shows it, and this page shows its way.',
      commands: ['agent-relay send Bob "Hello from Alice" --from Alice'],
      waiting: 'Waiting for a message to arrive',
    },
  }
}

/** The way to a first message. Every step is read from data, so it ticks itself off when it has happened. */
export function Checklist({ steps, origin }: { steps: ChecklistStep[]; origin: string }) {
  const words = wordsOf(origin)
  const now = steps.find((step) => !step.isDone)?.key
  return (
    <div className="grid min-h-0 flex-1 gap-10 overflow-y-auto px-5 py-6 lg:grid-cols-[minmax(0,452px)_minmax(0,1fr)] lg:p-10 lg:pt-9">
      <section>
        <h2 className="text-2xl font-semibold tracking-[-0.025em]">Get two agents talking</h2>
        <p className="mt-1 text-fg-2">Each step ticks itself off when it has happened. About four minutes.</p>
        <ol className="mt-6">
          {steps.map((step, index) => (
            <Step key={step.key} step={step} number={index + 1} isNow={step.key === now} words={words[step.key]} />
          ))}
        </ol>
      </section>
      <Ghost />
    </div>
  )
}

function Step({ step, number, isNow, words }: { step: ChecklistStep; number: number; isNow: boolean; words: Words }) {
  return (
    <li
      aria-current={isNow ? 'step' : undefined}
      className="relative grid grid-cols-[20px_minmax(0,1fr)] gap-x-3 pb-4 before:absolute before:top-[22px] before:bottom-0.5 before:left-[9.5px] before:w-px before:bg-line last:before:hidden"
    >
      <span
        className={cn(
          'grid size-5 place-items-center rounded-full border-[1.5px] text-xs leading-none',
          step.isDone
            ? 'border-transparent bg-ok-soft text-ok'
            : isNow
              ? 'border-accent-solid bg-surface-1 font-semibold text-accent'
              : 'border-strong bg-surface-1 text-fg-3',
        )}
      >
        {step.isDone ? <Check aria-label="done" size={12} strokeWidth={2} /> : number}
      </span>
      <div>
        <p className={step.isDone ? 'text-fg-2' : 'font-medium'}>{words.title}</p>
        {step.isDone ? (
          <p className="text-sm text-fg-3">
            {step.label}
            {step.at !== null && (
              <>
                {step.label !== null && ', '}
                <Ago at={step.at} />
              </>
            )}
          </p>
        ) : isNow ? (
          <>
            <p className="text-fg-2">{words.body}</p>
            {words.commands.map((command) => (
              <Command key={command} text={command} className="my-2" />
            ))}
            <Waiting>{words.waiting}</Waiting>
          </>
        ) : (
          <p className="mono truncate text-fg-3">{words.commands.at(-1)}</p>
        )}
      </div>
    </li>
  )
}

/** Where machines will stand; final geometry, no content. */
function Ghost() {
  return (
    <section
      aria-hidden
      className="relative hidden min-h-[360px] overflow-hidden rounded-3 border border-dashed border-line bg-surface-2 lg:block"
    >
      <svg
        aria-hidden
        width="180"
        height="270"
        viewBox="0 0 180 270"
        className="absolute top-[22%] left-1/2 -translate-x-1/2 overflow-visible"
      >
        <path
          d="M60 86V118Q60 130 72 130H108Q120 130 120 142V204"
          fill="none"
          stroke="var(--border-3)"
          strokeWidth="1.25"
          strokeDasharray="1 5"
          strokeLinecap="round"
          opacity="0.5"
        />
      </svg>
      <GhostNode rows={['w-[60px]', 'w-[84px]']} className="top-[22%] -translate-x-[120px]" />
      <GhostNode rows={['w-[68px]']} className="top-[calc(22%+204px)] -translate-x-[60px]" />
      <p className="absolute inset-x-0 bottom-7 px-6 text-center text-sm text-fg-3">
        Your machines, their agents and the paths between them appear here.
      </p>
    </section>
  )
}

function GhostNode({ rows, className }: { rows: string[]; className: string }) {
  return (
    <div className={cn('absolute left-1/2 w-[180px] rounded-3 border border-dashed border-line', className)}>
      <div className="flex h-8 items-center border-b border-hair px-2.5">
        <Bone className="w-[72px]" />
      </div>
      {rows.map((width) => (
        <div key={width} className="flex h-[26px] items-center gap-2.5 px-3">
          <Shape kind="dash" />
          <Bone className={width} />
        </div>
      ))}
    </div>
  )
}
