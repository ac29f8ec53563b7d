/** A disk without room, a real one: senders hear of it, nothing that happened is forgotten, and it heals by itself. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { daemonLab } from './daemon-process.ts'
import { buildBundle } from './support/bundle.ts'

let cli: string
let lab: ReturnType<typeof daemonLab>
beforeAll(() => {
  cli = buildBundle()
})
afterAll(() => rmSync(join(dirname(cli), '../../..'), { recursive: true, force: true }))
beforeEach(() => {
  lab = daemonLab(cli)
})
afterEach(() => lab.close())

/** Whether this user may mount a file system of their own, as on most Linux systems. */
function canMount(): boolean {
  try {
    execFileSync('unshare', ['-r', '-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** A daemon on a disk of 4 MiB that only it sees, which ends with it. `home` is the same folder as seen from here. */
async function onSmallDisk() {
  const folder = lab.home('disk')
  mkdirSync(folder, { recursive: true })
  const script = `mount -t tmpfs -o size=4m tmpfs "${folder}" && exec "${process.execPath}" "${join(dirname(cli), 'daemon.js')}" --foreground`
  const child = spawn('unshare', ['-r', '-m', 'sh', '-c', script], {
    env: { ...process.env, AGENT_RELAY_HOME: join(folder, 'home') },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (data) => {
      said += data
      if (said.includes('"text":"ready"')) resolve()
    })
    child.once('close', () => reject(new Error(`the daemon ended: ${said}`)))
  })
  const disk = `/proc/${child.pid}/root${folder}`
  return {
    home: join(disk, 'home'),
    pid: child.pid,
    said: () => said,
    fill() {
      for (let bytes = 65_536; bytes >= 512; bytes /= 2) {
        try {
          for (;;) appendFileSync(join(disk, 'filler'), Buffer.alloc(bytes))
        } catch {}
      }
    },
    free: () => writeFileSync(join(disk, 'filler'), ''),
    async end() {
      child.kill('SIGKILL')
      await once(child, 'close')
    },
  }
}

test.runIf(process.platform === 'linux' && canMount())(
  'senders hear DISK_FULL, no mark is lost, nothing comes twice, and the first send with room works',
  async () => {
    const disk = await onSmallDisk()
    try {
      const alice = await lab.connect(disk.home, 'Alice')
      const bob = await lab.connect(disk.home, 'Bob')
      await lab.connect(disk.home, 'Carol')
      await bob.request('subscribe', {})
      const first = await alice.request('send', { to: 'Bob', body: 'before' })
      const waiting = await alice.request('send', { to: 'Carol', body: 'for later' })
      await bob.delivered(1)
      disk.fill()
      expect(await bob.request('mark', { ids: [first.id], state: 'injected' })).toEqual({ marked: 1 })
      const queued = [first.id]
      let refused = 0
      while (refused < 30)
        await alice.request('send', { to: 'Bob', body: 'x'.repeat(20_000) }).then(
          (sent) => queued.push(sent.id),
          (error) => {
            refused++
            expect(error).toMatchObject({ code: 'DISK_FULL', message: expect.stringContaining('nothing was queued') })
          },
        )
      // What is handed over must be on disk first: there is no room for that either.
      const carol = await lab.connect(disk.home, 'Carol').catch((error) => error)
      expect(carol).toMatchObject({ code: 'DISK_FULL' })
      expect((await alice.request('status', {})).pid).toBe(disk.pid)
      const turns = () => disk.said().match(/a turn of \d+ events failed/g)?.length ?? 0
      expect(turns(), 'it does not try in a circle').toBeLessThan(refused + 10)

      disk.free()
      const after = await alice.request('send', { to: 'Bob', body: 'room again' })
      queued.push(after.id)
      await bob.delivered(queued.length)
      const ids = bob.deliveries.map(({ message }) => message.id)
      expect(
        ids.filter((id) => id === first.id),
        'what Bob has does not come again',
      ).toHaveLength(1)
      expect([...new Set(ids)]).toEqual(queued)
      expect((await alice.request('trace', { message: first.id })).state).toBe('injected')
      const late = await lab.connect(disk.home, 'Carol')
      await late.request('subscribe', {})
      expect((await late.delivered(1))[0]?.message.id).toBe(waiting.id)
    } finally {
      await disk.end()
    }
  },
)
