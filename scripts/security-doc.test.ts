/** The threat model names tests: each must be there under that name. */
import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const doc = readFileSync('docs/security.md', 'utf8')
const cells = doc.split('\n').flatMap((line) => line.match(/^\|(?:[^|]*\|){3}([^|]*)\|$/)?.[1] ?? [])
/** In each cell a file in backticks, then names in quotes that are tests of it. */
const named = cells.flatMap((cell) =>
  cell.split('`').flatMap((part, n, parts) => {
    const file = parts[n - 1] ?? ''
    const names = [...part.matchAll(/"([^"]+)"/g)].map(([, name]) => name as string)
    return n % 2 === 0 && file.endsWith('.test.ts') ? [{ file, names }] : []
  }),
)

test('there are threats, and each has a test', () => {
  expect(named.length).toBeGreaterThan(20)
})

test.each(named)('$file', ({ file, names }) => {
  expect(existsSync(file), file).toBe(true)
  const source = readFileSync(file, 'utf8')
  for (const name of names) expect(source, name).toContain(`('${name}'`)
})
