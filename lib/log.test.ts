import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { createLog } from './log.ts'
import { lineWriter } from './log-lines.ts'

function logTo(
  destination: (out: PassThrough) => { write(line: string): void } = (out) => ({ write: (l) => out.write(l) }),
) {
  const out = new PassThrough()
  return { log: createLog('debug', destination(out)), text: () => String(out.read() ?? '') }
}

test('secrets are taken out by their names, at the top and two levels down', () => {
  const { log, text } = logTo()
  const secrets = { authorization: 'Bearer hunter2', cookie: 'session=hunter2', apiKey: 'hunter2', token: 'hunter2' }
  log.info({ ...secrets, headers: secrets, request: { headers: secrets }, machine: 'alice-mbp' }, 'hello')
  const line = text()
  expect(line).not.toContain('hunter2')
  expect(JSON.parse(line)).toMatchObject({ level: 'info', msg: 'hello', machine: 'alice-mbp', token: '[redacted]' })
})

test('an error keeps its message, code and stack', () => {
  const { log, text } = logTo()
  log.error({ err: Object.assign(new Error('no room'), { code: 'ENOSPC' }) }, 'failed')
  expect(JSON.parse(text()).err).toMatchObject({
    message: 'no room',
    code: 'ENOSPC',
    stack: expect.stringContaining('log.test'),
  })
})

test('a terminal gets one readable line a record, and a stack below it', () => {
  const { log, text } = logTo(lineWriter)
  log.warn({ port: 3000, reason: 'two words' }, 'late')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours of a terminal
  const plain = () => text().replace(/\u001b\[\d+m/g, '')
  expect(plain()).toMatch(/^\d\d:\d\d:\d\d warn {2}late port=3000 reason="two words"\n$/)
  log.error({ err: new Error('no room') }, 'failed')
  expect(plain()).toMatch(/^\d\d:\d\d:\d\d error failed\n {4}Error: no room\n {8}at /)
})
