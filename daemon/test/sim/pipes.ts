/**
 * Connections between two machines as TCP gives them: what is sent comes once and in order or not at all, silence is no end, and
 * each end learns of the end in its own time, or only when it speaks to somebody who has forgotten it.
 */
import type { Way } from './places.ts'
import type { Random } from './random.ts'
import type { Timeline } from './timeline.ts'

/** Who holds an end. */
export type Holder = { machine: string; isAlive(): boolean; isAwake(): boolean }

export type End = {
  readonly holder: Holder
  readonly pipe: Pipe
  isOpen(): boolean
  /** `slowMs`: how much later it comes, and all that follows. */
  send(event: string, frame: unknown, slowMs?: number): void
  /** What was sent before still leaves, if it can do so soon. Nothing is heard at this end any more. */
  close(): void
  /** Replaces who hears of frames, and of an end that is not by close(). */
  listen(on: Listener): void
}

/** `say`: in the name of that end. */
export type Middle = (
  from: 0 | 1,
  event: string,
  frame: unknown,
  say: (from: 0 | 1, event: string, frame: unknown) => void,
) => void

type Listener = { frame(event: string, frame: unknown): void; ended(why: string): void }

export type Pipe = {
  readonly number: number
  readonly ways: readonly [Way, Way]
  /** Of the machine that called, and of the one that was called. */
  readonly ends: readonly [End, End]
  /** Somebody sits between and speaks TLS with each; hears every frame before it goes on. */
  readonly middle: Middle | undefined
  /** Nothing gets through any more, for good, and nobody is told: an address is gone, or a router forgot. */
  isStuck: boolean
}

export type Pipes = {
  /** `ways`: from the first to the second, and back. */
  open(holders: readonly [Holder, Holder], ways: readonly [Way, Way], middle: Middle | undefined): Pipe
  all(): readonly Pipe[]
  /** A way may be open again: what waits in the systems of both ends goes on. */
  retry(): void
  /** The machine reads what came while it slept. */
  read(machine: string): void
  /** The program is gone; a system without power says nothing of it. */
  died(holder: Holder, isSilent: boolean): void
  /** A reset came to this end. */
  reset(end: End): void
}

type Item = { seq: number; event: string; frame: unknown }

/** What a program has closed has this long to leave; see LINGER_MS in src/peers/wire.ts. */
const LINGER_MS = 1_000
/** As an event: the orderly end. */
const FIN = ''

type Options = {
  timeline: Timeline
  random: Random
  passes: (from: string, way: Way) => boolean
  latencyMs: (from: string, way: Way) => number
}

export function createPipes({ timeline, random, passes, latencyMs }: Options): Pipes {
  let pipes: Pipe[] = []
  let count = 0
  const innards = new WeakMap<End, Innards>()
  const inside = (end: End): Innards => innards.get(end) as Innards

  type Innards = {
    isOpen: boolean
    closedAt: number
    listener: Listener | undefined
    /** Sent, and what is expected next from the other end. */
    sent: number
    expected: number
    lastAt: number
    /** Sent, and not got through yet. */
    stalled: Item[]
    /** Came, and not all before it. */
    early: Map<number, Item>
    unread: (() => void)[]
  }

  const isGone = ({ ends, isStuck }: Pipe): boolean =>
    ends.every((end) => !inside(end).isOpen && (isStuck || inside(end).stalled.length === 0))

  function newEnd(holder: Holder, pipe: () => Pipe, at: 0 | 1): End {
    const end: End = {
      holder,
      get pipe() {
        return pipe()
      },
      isOpen: () => own.isOpen,
      send(event, frame, slowMs = 0) {
        if (!own.isOpen) return
        carry(pipe(), at, { seq: own.sent++, event, frame }, slowMs)
        pipe().middle?.(at, event, frame, say)
      },
      close() {
        if (!own.isOpen) return
        shut(end)
        carry(pipe(), at, { seq: own.sent++, event: FIN, frame: undefined }, 0)
      },
      listen(listener) {
        own.listener = listener
      },
    }
    const say = (from: 0 | 1, event: string, frame: unknown): void => {
      const speaker = inside(pipe().ends[from])
      carry(pipe(), from, { seq: speaker.sent++, event, frame }, 0)
    }
    const own: Innards = {
      isOpen: true,
      closedAt: 0,
      listener: undefined,
      sent: 0,
      expected: 0,
      lastAt: 0,
      stalled: [],
      early: new Map(),
      unread: [],
    }
    innards.set(end, own)
    return end
  }

  function shut(end: End): void {
    const own = inside(end)
    own.isOpen = false
    own.closedAt = timeline.now()
    own.listener = undefined
    own.unread = []
  }

  function ended(end: End, why: string): void {
    const { listener, isOpen } = inside(end)
    if (!isOpen) return
    shut(end)
    if (end.holder.isAlive()) listener?.ended(why)
  }

  function carry(pipe: Pipe, from: 0 | 1, item: Item, slowMs: number): void {
    if (pipe.isStuck) return
    const end = pipe.ends[from]
    const own = inside(end)
    if (own.stalled.length > 0 || !passes(end.holder.machine, pipe.ways[from])) {
      own.stalled.push(item)
      return
    }
    fly(pipe, from, item, slowMs)
  }

  function fly(pipe: Pipe, from: 0 | 1, item: Item, slowMs: number): void {
    const end = pipe.ends[from]
    const own = inside(end)
    const at = timeline.now() + latencyMs(end.holder.machine, pipe.ways[from]) + random.below(3) + slowMs
    own.lastAt = Math.max(own.lastAt, at)
    timeline.at(own.lastAt, () => arrive(pipe, from, item))
  }

  function arrive(pipe: Pipe, from: 0 | 1, item: Item): void {
    if (pipe.isStuck) return
    const [sender, end] = [pipe.ends[from], pipe.ends[1 - from] as End]
    if (!passes(sender.holder.machine, pipe.ways[from])) {
      inside(sender).stalled.push(item)
      return
    }
    const own = inside(end)
    if (!own.isOpen) {
      if (item.event !== FIN) refuse(pipe, from)
      return
    }
    own.early.set(item.seq, item)
    for (let next = own.early.get(own.expected); next !== undefined; next = own.early.get(own.expected)) {
      own.early.delete(own.expected++)
      const { event, frame } = next
      if (end.holder.isAwake() && own.unread.length === 0) take(end, event, frame)
      else own.unread.push(() => take(end, event, frame))
    }
  }

  function take(end: End, event: string, frame: unknown): void {
    if (event === FIN) ended(end, 'the other end closed it')
    else inside(end).listener?.frame(event, frame)
  }

  /** The system at the other end knows nothing of this connection, and says so. */
  function refuse(pipe: Pipe, from: 0 | 1): void {
    const [sender, end] = [pipe.ends[from], pipe.ends[1 - from] as End]
    const back = pipe.ways[1 - from] as Way
    const { machine } = end.holder
    if (!end.holder.isAwake() || !passes(machine, back)) return
    timeline.at(timeline.now() + latencyMs(machine, back), () => {
      if (!pipe.isStuck && passes(machine, back)) reset(sender)
    })
  }

  function reset(end: End): void {
    const own = inside(end)
    own.stalled = []
    if (!own.isOpen) return
    if (end.holder.isAwake() && own.unread.length === 0) ended(end, 'the connection was reset')
    else own.unread.push(() => ended(end, 'the connection was reset'))
  }

  return {
    open(holders, ways, middle) {
      const pipe: Pipe = {
        number: ++count,
        ways,
        ends: [newEnd(holders[0], () => pipe, 0), newEnd(holders[1], () => pipe, 1)],
        middle,
        isStuck: false,
      }
      pipes = pipes.filter((one) => !isGone(one))
      pipes.push(pipe)
      return pipe
    },
    all: () => pipes,
    retry() {
      for (const pipe of pipes)
        for (const from of [0, 1] as const) {
          const end = pipe.ends[from]
          const own = inside(end)
          if (own.stalled.length === 0 || pipe.isStuck) continue
          if (!own.isOpen && timeline.now() - own.closedAt > LINGER_MS) own.stalled = []
          if (!passes(end.holder.machine, pipe.ways[from])) continue
          const items = own.stalled.sort((one, other) => one.seq - other.seq)
          own.stalled = []
          // A system tries again by a clock of its own.
          const laterMs = random.between(50, 1_500)
          for (const item of items) fly(pipe, from, item, laterMs)
        }
    },
    read(machine) {
      for (const pipe of pipes)
        for (const end of pipe.ends) {
          if (end.holder.machine !== machine) continue
          const own = inside(end)
          const frames = own.unread
          own.unread = []
          for (const frame of frames) if (own.isOpen) frame()
        }
    },
    died(holder, isSilent) {
      for (const pipe of pipes)
        for (const end of pipe.ends) {
          if (end.holder !== holder || !inside(end).isOpen) continue
          if (isSilent) {
            shut(end)
            inside(end).stalled = []
          } else end.close()
        }
    },
    reset,
  }
}
