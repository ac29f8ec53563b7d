/** Line programs, such as scripts, REPLs and `cat`: they say by printing lines and hear by reading their standard input. */

import { frameMessage } from '../text/frame.ts'
import type { Adapter, AdapterKind } from './adapter.ts'
import { createDraft } from './draft.ts'
import type { Program } from './program.ts'
import { createRelayReader, type RelayEvent } from './relay-reader.ts'
import { createScreenMode } from './screen-mode.ts'

/** A terminal in line mode drops what is over 4096 bytes a line (N_TTY_BUF_SIZE); four bytes a character at worst. */
const FOLD_AT = 1000
/** On pipes a program gets the largest body whole; nobody wants a quarter of a megabyte typed into a terminal. */
const MAX_PIPE_BODY_BYTES = 256 * 1024
const MAX_TERMINAL_BODY_BYTES = 32 * 1024

export const lineClient: AdapterKind = {
  client: 'line',
  capabilities: { wakesIdle: true, reachesMidTurn: false, hasUntrustedSlot: false, keepsDraft: true },
  detect: () => true,
  attach: attachLine,
}

function attachLine(program: Program, outbound: (event: RelayEvent) => void): Adapter {
  const reader = createRelayReader()
  const draft = createDraft()
  const screen = createScreenMode()
  const waiting: (() => void)[] = []
  let last: Promise<void> = Promise.resolve()
  let hasEnded = false

  /** A person's half-typed line, a full-screen program or an open block would all swallow what is written now. */
  const canTake = (): boolean =>
    hasEnded || !program.hasTerminal || (draft.isEmpty() && !screen.isFull() && !reader.isInBlock())

  function wake(): void {
    if (!canTake()) return
    for (const resume of waiting.splice(0)) resume()
  }

  async function write(text: string): Promise<void> {
    while (!canTake()) await new Promise<void>((resume) => waiting.push(resume))
    await program.write(Buffer.from(text))
  }

  /** One writer at a time, in the order of the calls; a failed one does not hold up the next. */
  function inTurn(text: string): Promise<void> {
    const done = last.then(() => write(text))
    last = done.catch(() => {})
    return done
  }

  function tell(events: RelayEvent[]): void {
    for (const event of events) outbound(event)
  }

  const frameOptions = program.hasTerminal
    ? { maxBodyBytes: MAX_TERMINAL_BODY_BYTES, foldAt: FOLD_AT }
    : { maxBodyBytes: MAX_PIPE_BODY_BYTES }

  return {
    identify: () => ({ client: 'line', pid: program.pid }),
    state: () => 'online',
    async deliver(batch) {
      const frames = batch.map(({ message, isRepeat }) =>
        frameMessage(message, { ...frameOptions, isRedelivered: isRepeat }),
      )
      await inTurn(frames.join(''))
      return { state: 'injected', note: 'written to its input; a line program does not say what it read' }
    },
    notify(line) {
      inTurn(`[relay] ${line}\n`).catch(() => {})
    },
    output(data) {
      tell(reader.write(data))
      if (program.hasTerminal) screen.watch(data)
      wake()
    },
    typed(data) {
      if (!program.hasTerminal) return
      for (const line of draft.type(data)) reader.expectEcho(line)
      wake()
    },
    end() {
      hasEnded = true
      tell(reader.end())
      wake()
    },
  }
}
