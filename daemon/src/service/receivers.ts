/** Who takes an agent's messages: its newest subscriber; when that one goes, the one before it. */
import type { Message } from '@agent-relay/protocol'
import type { Engine } from './engine.ts'

export type Receiver = {
  /** Takes one message; what it does not mark comes again, to it or to the next receiver. */
  take(message: Message, isRepeat: boolean): void
}

export type Receivers = {
  add(agentKey: string, receiver: Receiver): void
  remove(agentKey: string, receiver: Receiver): void
  current(agentKey: string): Receiver | undefined
  /** A person was given another name. */
  rename(from: string, to: string): void
  /** Tells the core again, after its state was built anew. */
  restore(): void
}

export function createReceivers(engine: () => Engine): Receivers {
  const stacks = new Map<string, Receiver[]>()
  const tell = (agent: string): void =>
    engine().submit({ type: 'receiver', agent, isOn: (stacks.get(agent)?.length ?? 0) > 0 })
  return {
    add(agentKey, receiver) {
      const stack = stacks.get(agentKey) ?? []
      stacks.set(agentKey, [...stack.filter((other) => other !== receiver), receiver])
      tell(agentKey)
    },
    remove(agentKey, receiver) {
      const stack = stacks.get(agentKey)
      if (stack === undefined || !stack.includes(receiver)) return
      const wasCurrent = stack.at(-1) === receiver
      const left = stack.filter((other) => other !== receiver)
      if (left.length === 0) stacks.delete(agentKey)
      else stacks.set(agentKey, left)
      if (wasCurrent) tell(agentKey)
    },
    current: (agentKey) => stacks.get(agentKey)?.at(-1),
    rename(from, to) {
      const stack = stacks.get(from)
      if (stack === undefined) return
      stacks.delete(from)
      stacks.set(to, stack)
      tell(to)
    },
    restore() {
      for (const agent of stacks.keys()) tell(agent)
    },
  }
}
