/** Which agents have a session here that will stay; counted, because an agent may have several. */
export type Presence = {
  add(agentKey: string): void
  remove(agentKey: string): void
  rename(from: string, to: string): void
  restore(): void
}

/** `changed` hears of the first session of an agent and of the end of its last. */
export function createPresence(changed: (agentKey: string, isOn: boolean) => void): Presence {
  const counts = new Map<string, number>()
  return {
    add(agentKey) {
      const count = counts.get(agentKey) ?? 0
      counts.set(agentKey, count + 1)
      if (count === 0) changed(agentKey, true)
    },
    remove(agentKey) {
      const count = counts.get(agentKey) ?? 0
      if (count > 1) counts.set(agentKey, count - 1)
      else if (counts.delete(agentKey)) changed(agentKey, false)
    },
    rename(from, to) {
      const count = counts.get(from)
      if (count === undefined) return
      counts.delete(from)
      counts.set(to, count)
      changed(to, true)
    },
    restore() {
      for (const agentKey of counts.keys()) changed(agentKey, true)
    },
  }
}
