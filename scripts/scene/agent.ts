/**
 * A scripted agent, as a line program that knows nothing of Agent Relay but what it reads and prints:
 * `agent-relay run Alice -- node agent.ts Alice`. What it says for people goes to stderr.
 */
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'

const name = process.argv[2] ?? 'Alice'
const everyMs = 4000
const features = ['invoice totals', 'the sign-in page', 'search by name', 'dark mode', 'the CSV export', 'rate limits']

function send(to: string, text: string): void {
  console.error(`${name} → ${to}: ${text}`)
  process.stdout.write(`->relay:${to} <<<\n${text}\n>>>\n`)
}

/** What each of them does with a message; a broadcast asks for no answer. */
const replies: Record<string, (from: string, text: string) => Promise<void>> = {
  async Alice() {},
  async Bob(from, text) {
    const task = /^Task (\d+): build (.+)$/.exec(text)
    if (from !== 'Alice' || !task) return
    await delay(900)
    send('Carol', `Task ${task[1]}: ${task[2]} is built, please test it`)
    send('Alice', `Task ${task[1]}: built, Carol tests it`)
  },
  async Carol(from, text) {
    const task = /^Task (\d+): (.+) is built/.exec(text)
    if (from !== 'Bob' || !task) return
    await delay(700)
    send('Alice', `Task ${task[1]}: ${task[2]} passes ${10 + (Number(task[1]) % 7)} checks`)
  },
}

async function readMessages(): Promise<void> {
  let from: string | undefined
  let lines: string[] = []
  for await (const line of createInterface({ input: process.stdin })) {
    const head = /^<relay-message .*?\bfrom="([^"]+)"/.exec(line)
    if (head) {
      from = head[1]
      lines = []
    } else if (line === '</relay-message>' && from !== undefined) {
      const text = lines.join('\n')
      console.error(`${name} ← ${from}: ${text}`)
      await replies[name]?.(from, text)
      from = undefined
    } else if (from !== undefined) lines.push(line)
    else if (line.startsWith('[relay]')) console.error(`${name} is told: ${line}`)
  }
}

async function lead(): Promise<void> {
  for (let n = 1; ; n++) {
    send('Bob', `Task ${n}: build ${features[n % features.length]}`)
    if (n % 5 === 0) send('*:*', `${n} tasks given out so far`)
    await delay(everyMs)
  }
}

if (name === 'Alice') void lead()
await readMessages()
process.exit(0)
