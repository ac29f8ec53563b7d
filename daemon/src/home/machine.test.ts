import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MachineName } from '@agent-relay/protocol'
import { expect, test } from 'vitest'
import { machineName, servedFrom } from './machine.ts'

test('without a wish the machine is called as its host is, in a form that the control plane takes', () => {
  expect(MachineName.safeParse(machineName()).success).toBe(true)
  expect(machineName('alice-mbp')).toBe('alice-mbp')
})

test.each(['', 'a b', '-x', 'x'.repeat(64), 'a\nb'])('the name %j is refused with the flag to use', (name) => {
  expect(() => machineName(name)).toThrow(/cannot be a machine's name: .*agent-relay link --name NAME$/)
})

test('a package that a control plane served knows where it came from; one of a registry does not', () => {
  const folder = mkdtempSync(join(tmpdir(), 'relay-served-'))
  const dist = join(folder, 'node_modules/agent-relay/dist')
  mkdirSync(dist, { recursive: true })
  const install = (resolved: string) =>
    writeFileSync(
      join(folder, 'node_modules/.package-lock.json'),
      JSON.stringify({ packages: { 'node_modules/agent-relay': { resolved } } }),
    )
  install('https://relay.example.com/agent-relay.tgz')
  expect(servedFrom(join(dist, 'link.js'))).toBe('https://relay.example.com')
  install('https://registry.npmjs.org/agent-relay/-/agent-relay-0.1.0.tgz')
  expect(servedFrom(join(dist, 'link.js'))).toBeUndefined()
  rmSync(folder, { recursive: true, force: true })
})
