import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'

test('the demo links three machines whose agents answer each other, and Ctrl-C ends all of it', async () => {
  // A port where nothing runs: the demo then brings a control plane of its own.
  const child = spawn(process.execPath, ['scripts/demo.mjs'], {
    env: { ...process.env, PORT: '1', RELAY_DATA_DIR: '.build/no-such-folder' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = once(child, 'exit')
  try {
    let output = ''
    const all = new Promise<void>((resolve, reject) => {
      const read = (chunk: Buffer): void => {
        output += chunk
        if (/Bob ← Alice/.test(output) && /Carol ← Bob/.test(output) && /Alice ← Carol/.test(output)) resolve()
      }
      child.stdout.on('data', read)
      child.stderr.on('data', read)
      child.once('exit', (code) => reject(new Error(`the demo ended with ${code}:\n${output}`)))
    })
    await all
    expect(output).toContain('Watch it: http')
  } finally {
    child.kill('SIGINT')
    const [code] = await ended
    expect(code).toBe(0)
  }
}, 180_000)
