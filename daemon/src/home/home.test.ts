import { type ChildProcess, spawn } from 'node:child_process'
import { createPublicKey, verify } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readConfig, writeConfig } from './config.ts'
import { readEnvironment } from './env.ts'
import { checkSocketFolder } from './files.ts'
import { openHome } from './home.ts'
import { ensureIdentity, readIdentity } from './identity.ts'
import { lockHolder, lockHome } from './lock.ts'
import { homePaths } from './paths.ts'
import { makeToken, readToken, removeToken, tokenPath, writeToken } from './tokens.ts'

const mode = (path: string) => statSync(path).mode & 0o777

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'relay-home-'))
})
afterEach(() => {
  chmodSync(folder, 0o700)
  rmSync(folder, { recursive: true, force: true })
})

const link = {
  url: 'https://relay.example.com',
  key: 'ar_live_secret',
  machine: { id: 'm1', name: 'alice-mbp' },
  org: { id: 'o1', slug: 'acme', name: 'Acme' },
  person: 'alice',
  linkedAt: 1,
}

describe('the folder', () => {
  test('is made private, and made private again when somebody opened it', () => {
    const paths = openHome(join(folder, 'a/b'))
    expect(mode(paths.home)).toBe(0o700)
    chmodSync(paths.home, 0o755)
    openHome(paths.home)
    expect(mode(paths.home)).toBe(0o700)
  })

  test('that is a file is named, with a way out', () => {
    writeFileSync(join(folder, 'file'), '')
    expect(() => openHome(join(folder, 'file'))).toThrow(/\/file is a file where Agent Relay needs a folder: move it/)
    expect(() => openHome(join(folder, 'file/deeper'))).toThrow(/a part of its path is a file.*AGENT_RELAY_HOME/)
  })

  test.skipIf(process.getuid?.() !== 0)('that belongs to another user is refused', async () => {
    const { chownSync } = await import('node:fs')
    const home = join(folder, 'theirs')
    mkdirSync(home)
    chownSync(home, 12345, 12345)
    expect(() => openHome(home)).toThrow(/belongs to user 12345 and you are user 0/)
  })

  test.skipIf(process.getuid?.() !== 0)(
    'a socket in a shared folder that somebody else made first is not spoken to',
    async () => {
      const { chownSync, lchownSync, symlinkSync } = await import('node:fs')
      const theirs = mkdtempSync('/tmp/agent-relay-')
      chownSync(theirs, 12345, 12345)
      expect(() => checkSocketFolder(join(theirs, 'x.sock'))).toThrow(/belongs to user 12345/)
      const trap = `${theirs}-link`
      symlinkSync(folder, trap)
      lchownSync(trap, 12345, 12345)
      expect(() => checkSocketFolder(join(trap, 'x.sock'))).toThrow(/belongs to user 12345/)
      rmSync(trap)
      rmSync(theirs, { recursive: true })
      expect(() => checkSocketFolder(join(theirs, 'x.sock'))).not.toThrow()
    },
  )

  test('that is too deep for a socket gets a short one of its own', () => {
    const deep = homePaths(join(folder, 'x'.repeat(90)))
    const other = homePaths(join(folder, 'y'.repeat(90)))
    expect(Buffer.byteLength(deep.socket)).toBeLessThanOrEqual(103)
    expect(deep.runtime).toBeDefined()
    expect(deep.socket).not.toBe(other.socket)
    expect(homePaths(join(folder, 'h')).socket).toBe(join(folder, 'h/relay.sock'))
  })

  test('comes from AGENT_RELAY_HOME, made absolute, or is ~/.agent-relay', () => {
    expect(readEnvironment({ AGENT_RELAY_HOME: 'rel' }).home).toBe(join(process.cwd(), 'rel'))
    expect(readEnvironment({ AGENT_RELAY_HOME: ' ' }).home).toMatch(/\/\.agent-relay$/)
  })
})

describe('config.json', () => {
  test('survives being written and read, is 0600 and leaves no draft', () => {
    const paths = openHome(folder)
    writeConfig(paths, { v: 1, link })
    expect(readConfig(paths)).toEqual({ v: 1, link })
    expect(mode(paths.config)).toBe(0o600)
    expect(readdirSync(folder).sort()).toEqual(['agents', 'config.json'])
    chmodSync(paths.config, 0o644)
    readConfig(paths)
    expect(mode(paths.config)).toBe(0o600)
  })

  test('that is missing means unlinked', () => {
    expect(readConfig(openHome(folder))).toEqual({ v: 1, link: null })
  })

  test('that is broken is named with its fault and the next step, without its secret', () => {
    const paths = openHome(folder)
    const fault = (text: string): string => {
      writeFileSync(paths.config, text)
      try {
        readConfig(paths)
      } catch (error) {
        return (error as Error).message
      }
      return 'read'
    }
    expect(fault('{"v":1')).toMatch(/config\.json is broken \(it is not JSON\): correct it.*agent-relay link$/)
    const noUrl = fault(JSON.stringify({ v: 1, link: { ...link, url: 'nonsense' } }))
    expect(noUrl).toContain('link.url')
    expect(noUrl).not.toContain('ar_live_secret')
    expect(fault('{"v":2,"more":true}')).toMatch(/newer agent-relay \(format 2/)
    expect(fault('null')).toContain('is broken')
  })
})

describe('identity.key', () => {
  test('is made once, is 0600, and its signatures hold for its public key', () => {
    const paths = openHome(folder)
    expect(readIdentity(paths)).toBeUndefined()
    const made = ensureIdentity(paths)
    expect(ensureIdentity(paths).publicKey).toBe(made.publicKey)
    expect(made.publicKey).toMatch(/^[A-Za-z0-9_-]{43}$/)
    expect(mode(paths.identity)).toBe(0o600)
    expect(readFileSync(paths.identity, 'utf8')).toContain('BEGIN PRIVATE KEY')
    const key = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: made.publicKey } })
    expect(verify(null, Buffer.from('text'), key, Buffer.from(made.sign('text'), 'base64url'))).toBe(true)
    expect(verify(null, Buffer.from('other'), key, Buffer.from(made.sign('text'), 'base64url'))).toBe(false)
    expect(readdirSync(folder).sort()).toEqual(['agents', 'identity.key'])
  })

  test('that is not a key is named, not replaced', () => {
    const paths = openHome(folder)
    writeFileSync(paths.identity, 'garbage')
    expect(() => ensureIdentity(paths)).toThrow(/identity\.key is not an Ed25519 private key: restore it/)
    expect(readFileSync(paths.identity, 'utf8')).toBe('garbage')
  })
})

describe('the lock', () => {
  const children: ChildProcess[] = []
  afterEach(async () => {
    for (const child of children.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  })

  async function holder(): Promise<ChildProcess> {
    const code = `import { lockHome } from ${JSON.stringify(join(import.meta.dirname, 'lock.ts'))}
      import { openHome } from ${JSON.stringify(join(import.meta.dirname, 'home.ts'))}
      globalThis.lock = lockHome(openHome(${JSON.stringify(folder)}))
      console.log('held')
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--no-warnings', '--input-type=module', '-e', code], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    children.push(child)
    await once(child.stdout as NodeJS.ReadableStream, 'data')
    return child
  }

  test('refuses a second daemon naming the pid of the first, until that one is gone, however it went', async () => {
    const first = await holder()
    const paths = openHome(folder)
    expect(lockHolder(paths)).toBe(first.pid)
    expect(() => lockHome(paths)).toThrow(
      new RegExp(`A daemon \\(pid ${first.pid}\\) already runs on .*agent-relay down$`),
    )
    first.kill('SIGKILL')
    await once(first, 'exit')
    expect(readFileSync(paths.pid, 'utf8')).toBe(`${first.pid}\n`)
    expect(lockHolder(paths)).toBeUndefined()
    const lock = lockHome(paths)
    expect(readFileSync(paths.pid, 'utf8')).toBe(`${process.pid}\n`)
    lock.release()
    lock.release()
    expect(readdirSync(folder)).not.toContain('daemon.pid')
  })

  test('takes over a pid that now is some other living program', () => {
    const paths = openHome(folder)
    writeFileSync(paths.pid, `${process.ppid}\n`)
    lockHome(paths).release()
  })

  test('is free again for the next daemon of the same process', () => {
    const paths = openHome(folder)
    const lock = lockHome(paths)
    expect(() => lockHome(paths)).toThrow('already runs')
    lock.release()
    lockHome(paths).release()
  })
})

test('a token is one private file per name, found without case', () => {
  const paths = openHome(folder)
  const token = makeToken()
  writeToken(paths, 'Alice', token)
  expect(readToken(paths, 'aLICE')).toBe(token)
  expect(mode(tokenPath(paths, 'Alice'))).toBe(0o600)
  removeToken(paths, 'ALICE')
  expect(readToken(paths, 'Alice')).toBeUndefined()
  expect(() => readToken(paths, '../../etc/passwd')).toThrow('is not an agent')
})
