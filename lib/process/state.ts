/** What this process knows of itself; on globalThis, for server.ts and Next's bundle alike. */

type ProcessState = { startedAtMs: number; draining: boolean }

const key = Symbol.for('agent-relay.process')
const shared = globalThis as { [key]?: ProcessState }

export function processState(): ProcessState {
  shared[key] ??= { startedAtMs: Date.now() - performance.now(), draining: false }
  return shared[key]
}
