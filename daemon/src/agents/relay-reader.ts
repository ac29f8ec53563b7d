/**
 * Reads messages out of what a line program prints: `->relay:ADDRESS one line`, or `->relay:ADDRESS [thread=x] [ttl=5m] <<<`,
 * body lines and a line that is only `>>>`. A backslash before either prints it plainly; code fences hide what is in them.
 * Pure: bytes in, events out. Lines are cut from the raw bytes, so chunk boundaries cannot matter.
 */
import { MAX_BODY_BYTES, utf8Length } from '@agent-relay/protocol'
import { plainLine } from '../text/plain-text.ts'
import { type Opening, readOpening } from './relay-opening.ts'

export type RelayEvent =
  | { kind: 'send'; to: string; body: string; thread?: string; ttlMs?: number }
  /** Something that was meant as a message and is none; `reason` is one sentence for whoever printed it. */
  | { kind: 'refused'; to: string; reason: string }

export type RelayReader = {
  /** The events that this chunk completes, in order. */
  write(chunk: Uint8Array): RelayEvent[]
  /** After the program's last byte: a last line without line feed counts; an open block is refused. */
  end(): RelayEvent[]
  /** The next line of output that equals `line` is the terminal's echo of input, not the program's words. */
  expectEcho(line: string): void
  /** Whether a block is open: whatever is echoed now would become part of it. */
  isInBlock(): boolean
}

/** A line longer than this is cut: room for the largest body with its colours. */
const MAX_LINE_BYTES = 2 * MAX_BODY_BYTES
/** A fence that stays open for so long was no fence; otherwise one stray ``` would silence a program for ever. */
const MAX_FENCE_LINES = 1000
/** The kernel echoes a line when it is typed. An echo that is not among the next lines never comes: the program had turned it off. */
const ECHO_WITHIN_LINES = 64

const LF = 0x0a
const prefix = '->relay:'

export function createRelayReader(): RelayReader {
  const decoder = new TextDecoder()
  let pending: Uint8Array[] = []
  let pendingBytes = 0
  let echoes: { line: string; linesLeft: number }[] = []
  let fence: { mark: string; lines: number } | undefined
  let block: { opening: Opening; lines: string[]; sizeBytes: number; isTooLarge: boolean } | undefined

  function takeLine(): string {
    const bytes = pending.length === 1 && pending[0] ? pending[0] : concat(pending, pendingBytes)
    pending = []
    pendingBytes = 0
    return plainLine(decoder.decode(bytes))
  }

  function keep(part: Uint8Array): void {
    const room = MAX_LINE_BYTES - pendingBytes
    if (room <= 0 || part.length === 0) return
    // A copy: the caller may reuse its buffer.
    const kept = part.slice(0, room)
    pending.push(kept)
    pendingBytes += kept.length
  }

  function readLine(line: string): RelayEvent | undefined {
    if (echoes.length > 0 && isEcho(line)) return undefined
    if (block) return readBlockLine(line)
    if (readFence(line) || !line.startsWith(prefix)) return undefined
    const opening = readOpening(line.slice(prefix.length))
    if ('reason' in opening) return { kind: 'refused', to: opening.to, reason: opening.reason }
    if (opening.body !== undefined) return finish(opening, opening.body)
    block = { opening, lines: [], sizeBytes: 0, isTooLarge: false }
    return undefined
  }

  function isEcho(line: string): boolean {
    const at = echoes.findIndex((echo) => echo.line === line)
    echoes = at >= 0 ? echoes.slice(at + 1) : echoes.filter((echo) => --echo.linesLeft > 0)
    return at >= 0
  }

  function readBlockLine(line: string): RelayEvent | undefined {
    if (!block) return undefined
    if (line.trimEnd() === '>>>') {
      const { opening, lines, isTooLarge } = block
      block = undefined
      return isTooLarge ? tooLarge(opening.to) : finish(opening, lines.join('\n'))
    }
    const text = /^\\+>>>\s*$/.test(line) ? line.slice(1) : line
    block.sizeBytes += utf8Length(text) + 1
    // One line feed fewer than lines: the last one belongs to the closing mark.
    if (block.sizeBytes - 1 > MAX_BODY_BYTES) {
      block.isTooLarge = true
      block.lines = []
    } else if (!block.isTooLarge) block.lines.push(text)
    return undefined
  }

  /** Whether the line belongs to a code fence, by CommonMark's rules. */
  function readFence(line: string): boolean {
    // A program that repeats what it got must not be silenced by a fence that somebody sent it.
    if (line.startsWith('</relay-message>')) fence = undefined
    const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1]
    if (!fence) {
      if (mark) fence = { mark, lines: 0 }
      return mark !== undefined
    }
    const isClosing = mark?.startsWith(fence.mark) && line.trim() === mark
    fence.lines += 1
    if (isClosing || fence.lines >= MAX_FENCE_LINES) fence = undefined
    return true
  }

  return {
    write(chunk) {
      const events: RelayEvent[] = []
      let start = 0
      for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, start)) {
        keep(chunk.subarray(start, at))
        start = at + 1
        const event = readLine(takeLine())
        if (event) events.push(event)
      }
      keep(chunk.subarray(start))
      return events
    },
    end() {
      const events: RelayEvent[] = []
      if (pendingBytes > 0) {
        const event = readLine(takeLine())
        if (event) events.push(event)
      }
      if (block) {
        const { to } = block.opening
        events.push({ kind: 'refused', to, reason: `the block to ${to} never got its closing line ">>>"` })
        block = undefined
      }
      return events
    },
    expectEcho(line) {
      echoes = [...echoes.slice(1 - ECHO_WITHIN_LINES), { line, linesLeft: ECHO_WITHIN_LINES }]
    },
    isInBlock: () => block !== undefined,
  }
}

function finish(opening: Opening, body: string): RelayEvent {
  const { to, thread, ttlMs } = opening
  if (utf8Length(body) > MAX_BODY_BYTES) return tooLarge(to)
  if (body.trim() === '') return { kind: 'refused', to, reason: `the message to ${to} is empty` }
  return { kind: 'send', to, body, ...(thread !== undefined && { thread }), ...(ttlMs !== undefined && { ttlMs }) }
}

const tooLarge = (to: string): RelayEvent => ({
  kind: 'refused',
  to,
  reason: `the message to ${to} is over ${MAX_BODY_BYTES / 1024} KiB; send a path or a summary instead`,
})

function concat(parts: Uint8Array[], sizeBytes: number): Uint8Array {
  const whole = new Uint8Array(sizeBytes)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
