import { expect, test } from 'vitest'
import { commands } from './commands.ts'
import { commandHelp } from './help.ts'

const head = `# Commands

Generated from the commands' own help; \`npx vitest run daemon/src/cli/reference.test.ts -u\` writes it anew.

stdout is data, stderr is talk. Every read command has \`--json\`, one document with a \`version\` field. Nothing asks without a terminal.
Exit codes: 0 ok · 1 failure · 2 usage · 3 not linked · 4 daemon not running · 5 queued, but the awaited receipt did not come in time ·
6 refused by policy · 7 refused by a plan limit. \`run\` ends with the exit code of its program.
`

test('docs/cli.md says what the commands say of themselves', async () => {
  const all = await Promise.all(Object.values(commands).map((load) => load()))
  const sections = all.map((command) => `## ${command.name}\n\n\`\`\`text\n${commandHelp(command)}\n\`\`\`\n`)
  await expect([head, ...sections].join('\n')).toMatchFileSnapshot('../../../docs/cli.md')
})

test('every command has a summary, and examples that name it', async () => {
  for (const [name, load] of Object.entries(commands)) {
    const command = await load()
    expect(command.name).toBe(name)
    expect(command.summary).toMatch(/^[a-z].*[^.]$/)
    for (const example of command.examples ?? []) expect(example).toContain(`agent-relay ${name}`)
  }
})
