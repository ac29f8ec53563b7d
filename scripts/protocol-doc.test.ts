import { readFileSync } from 'node:fs'
import { controlVersions, localVersions } from '@agent-relay/protocol'
import { expect, test } from 'vitest'

test.each([
  ['control', controlVersions],
  ['local', localVersions],
])('docs/protocol.md has the table of versions of the %s socket', (name, versions) => {
  const text = readFileSync(new URL('../docs/protocol.md', import.meta.url), 'utf8')
  const rows = versions.map(({ v, added }) => `| ${v} | ${added} |`).join('\n')
  expect(text).toContain(`The ${name} socket:\n\n| Version | What it added |\n|---|---|\n${rows}\n\n`)
})
