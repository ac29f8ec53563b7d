/** An agent: sends, takes what is handed to it, gives evidence after a while, goes away and comes back, on one machine or another. */
import { nameKey } from '@agent-relay/protocol'
import type { Answer } from '../../src/core/turn.ts'
import type { Receiver } from '../../src/service/receivers.ts'
import type { Machine } from './machine.ts'
import type { Oracle } from './oracle.ts'
import type { Process } from './process.ts'
import type { Random } from './random.ts'

export type Agent = {
  key: string
  home(): Machine
  /** Starts on its machine, unless it runs there or is meant to be away. */
  start(): void
  leave(): void
  back(): void
  setDeaf(isDeaf: boolean): void
  moveTo(machine: Machine): void
  send(to: string, options: { count: number; sizeBytes: number; ttlMs: number | undefined }): void
  /** Whether it takes messages in this moment, under its name. A name that was refused after all is asked for again. */
  isReceiving(): boolean
}

/** A name that somebody else still holds is asked for again. */
const AGAIN_MS = 20_000

type Options = {
  name: string
  project: string | null
  home: Machine
  random: Random
  oracle: Oracle
}

export function createAgent({ name, project, home: first, random, oracle }: Options): Agent {
  const key = nameKey(name)
  let home = first
  let isAway = false
  let isDeaf = false
  /** Where it runs, from the daemon's yes to the end of the process or of the program. */
  let running: { process: Process; receiver: Receiver } | undefined
  let asked: Process | undefined
  const lives = (): boolean => running?.process.isAlive() === true

  function start(): void {
    const process = home.process()
    if (process === undefined || isAway || lives() || asked === process) return
    asked = process
    process.service.engine.submit({
      type: 'register',
      facts: { name, project, repository: null, model: null, client: null, capabilities: [] },
      tokenHash: 'hash',
      isPerson: false,
      reply: process.outside((answer: Answer) => {
        asked = undefined
        if (answer.type === 'registered') started(process)
        else process.after(AGAIN_MS, start)
      }),
    })
  }

  function started(process: Process): void {
    if (isAway || process !== home.process()) return
    const receiver: Receiver = {
      take: process.outside((message, isRepeat) => take(process, receiver, message.id, isRepeat)),
    }
    running = { process, receiver }
    process.service.presence.add(key)
    process.service.receivers.add(key, receiver)
  }

  function take(process: Process, receiver: Receiver, id: string, isRepeat: boolean): void {
    oracle.handed(home.id, key, id, isRepeat)
    if (isDeaf) return
    process.after(random.between(0, 400), () => {
      if (isDeaf || running?.receiver !== receiver) return
      process.service.mark(key, [id], random.chance(0.7) ? 'injected' : 'seen', () => undefined)
    })
  }

  function end(): void {
    if (running !== undefined && lives()) {
      const { service } = running.process
      service.receivers.remove(key, running.receiver)
      service.presence.remove(key)
    }
    running = undefined
    asked = undefined
  }

  return {
    key,
    home: () => home,
    start,
    leave() {
      isAway = true
      end()
    },
    back() {
      isAway = false
      start()
    },
    setDeaf(deaf) {
      isDeaf = deaf
      if (deaf || running === undefined || !lives()) return
      // Its next session takes what this one never gave evidence of.
      end()
      start()
    },
    moveTo(machine) {
      if (machine === home) return
      end()
      home = machine
      oracle.moved(key, machine.id)
      start()
    },
    send(to, { count, sizeBytes, ttlMs }) {
      const process = home.process()
      if (process === undefined || !home.isAwake()) return
      const { engine } = process.service
      for (let i = 0; i < count; i++) {
        const body = oracle.body(sizeBytes)
        engine.submit({
          type: 'send',
          at: engine.now(),
          from: key,
          to,
          body,
          sizeBytes: body.length,
          ttlMs,
          reply: process.outside((answer: Answer) => oracle.answered(home.id, answer)),
        })
      }
    },
    isReceiving() {
      if (!lives() || isDeaf) return false
      if (home.process()?.service.engine.state().agents.get(key)?.claim !== 'refused') return true
      end()
      start()
      return false
    },
  }
}
