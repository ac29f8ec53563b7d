import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type EmbeddedPostgres, startEmbedded } from './index.ts'
import { isAlive } from './process.ts'

let folder: string
let running: EmbeddedPostgres | undefined
beforeEach(() => {
  folder = path.join(mkdtempSync(path.join(tmpdir(), 'agent-relay-embedded-')), 'postgres')
})
afterEach(async () => {
  await running?.stop()
  running = undefined
  rmSync(path.dirname(folder), { recursive: true })
})

const start = async (onTrouble?: (message: string) => void): Promise<EmbeddedPostgres> => {
  running = await startEmbedded({ folder, ...(onTrouble && { onTrouble }) })
  return running
}

/** Makes a cluster with one row and stops it. */
async function makeCluster(): Promise<void> {
  const { url } = await start()
  await query(url, 'CREATE TABLE kept AS SELECT 42 AS answer')
  await running?.stop()
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query(sql)
  await client.end()
  return rows
}

const kept = (url: string) => query(url, 'SELECT answer FROM kept')
const pidFile = () => path.join(folder, 'data/postmaster.pid')

describe('the embedded Postgres', () => {
  test('keeps data, port and password from one start to the next, and takes no other password', async () => {
    await makeCluster()
    const first = running?.url
    const { url, pid } = await start()
    expect(url).toBe(first)
    expect(await kept(url)).toEqual([{ answer: 42 }])
    await expect(query(url.replace(/:[0-9a-f]+@/, ':wrong@'), 'SELECT 1')).rejects.toThrow('password authentication')
    await running?.stop()
    expect(isAlive(pid())).toBe(false)
  })

  test('moves to another port when a stranger has taken its own', async () => {
    await makeCluster()
    const { port } = JSON.parse(readFileSync(path.join(folder, 'settings.json'), 'utf8')) as { port: number }
    const stranger = createServer().listen(port, '127.0.0.1')
    await once(stranger, 'listening')
    const { url } = await start()
    expect(new URL(url).port).not.toBe(`${port}`)
    expect(await kept(url)).toEqual([{ answer: 42 }])
    stranger.close()
  })

  test('is started again on the same URL when it is killed', async () => {
    await makeCluster()
    const back = Promise.withResolvers<void>()
    const { url, pid } = await start((message) => message === 'Postgres runs again.' && back.resolve())
    process.kill(pid(), 'SIGKILL')
    await back.promise
    expect(await kept(url)).toEqual([{ answer: 42 }])
  })

  test('that outlived its killed parent is adopted, and stopped like an own one', async () => {
    await makeCluster()
    const script = `import { startEmbedded } from '#lib/db/embedded/index.ts'
      console.log((await startEmbedded({ folder: ${JSON.stringify(folder)} })).pid())`
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [printed] = (await once(parent.stdout, 'data')) as [Buffer]
    parent.kill('SIGKILL')
    await once(parent, 'exit')
    const { url, pid, stop } = await start()
    expect(pid()).toBe(Number(printed))
    expect(await kept(url)).toEqual([{ answer: 42 }])
    await stop()
    expect(isAlive(pid())).toBe(false)
  })

  test('is not kept from starting by a pid file whose process is another program by now', async () => {
    await makeCluster()
    writeFileSync(pidFile(), `${process.pid}\n${folder}/data\n1\n1\n\n127.0.0.1\n\nready\n`, { mode: 0o666 })
    const { url } = await start()
    expect(await kept(url)).toEqual([{ answer: 42 }])
  })

  test('made half by a killed start is made anew', async () => {
    mkdirSync(path.join(folder, 'data.making'), { recursive: true })
    writeFileSync(path.join(folder, 'data.making/PG_VERSION'), '18\n')
    const { url } = await start()
    expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  })
})

describe('a broken data folder stops the start, says what to do, and is left alone', () => {
  test('when Postgres cannot read it', async () => {
    await makeCluster()
    const control = path.join(folder, 'data/global/pg_control')
    truncateSync(control, 100)
    await expect(start()).rejects.toMatchObject({
      code: 'DATABASE_BROKEN',
      message: expect.stringMatching(/pg_control.*mv "/),
    })
    expect(readFileSync(control)).toHaveLength(100)
  })

  test('when it is no data folder', async () => {
    await makeCluster()
    rmSync(path.join(folder, 'data/PG_VERSION'))
    await expect(start()).rejects.toMatchObject({
      code: 'DATABASE_FOLDER',
      message: expect.stringContaining('PG_VERSION'),
    })
    expect(existsSync(path.join(folder, 'data/base'))).toBe(true)
  })

  test('when another version of Postgres made it', async () => {
    await makeCluster()
    writeFileSync(path.join(folder, 'data/PG_VERSION'), '12\n')
    await expect(start()).rejects.toThrow(/was made by Postgres 12, and this release brings Postgres 18/)
  })

  test('when its password is lost', async () => {
    await makeCluster()
    writeFileSync(path.join(folder, 'settings.json'), '{"port":')
    await expect(start()).rejects.toThrow(/settings\.json is missing or broken/)
  })

  test('when it is a file', async () => {
    writeFileSync(folder, '')
    await expect(start()).rejects.toThrow(/cannot be made or used \(EEXIST\)/)
  })
})
