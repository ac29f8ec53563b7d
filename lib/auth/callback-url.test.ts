import fc from 'fast-check'
import { expect, test } from 'vitest'
import { safePath, safeRedirect } from './callback-url.ts'

const baseUrl = 'https://relay.test'

test.each([
  ['/link?code=BCDF-GHJK', '/link?code=BCDF-GHJK'],
  ['/o/acme/messages?message=1#x', '/o/acme/messages?message=1#x'],
  ['//evil.test', '/'],
  ['/\\evil.test', '/'],
  ['/\t/evil.test', '/'],
  ['/.//evil.test', '/'],
  ['/a/..//evil.test', '/'],
  ['https://evil.test/o', '/'],
  ['javascript:alert(1)', '/'],
  ['o/acme', '/'],
  ['', '/'],
  [undefined, '/'],
])('%j leads to %j', (wanted, path) => {
  expect(safePath(wanted)).toBe(path)
  expect(safeRedirect({ url: wanted ?? '', baseUrl })).toBe(baseUrl + path)
})

test('a whole URL of this install keeps its path', () => {
  expect(safeRedirect({ url: 'https://relay.test/o/acme?x=1', baseUrl })).toBe('https://relay.test/o/acme?x=1')
  expect(safeRedirect({ url: 'https://relay.test.evil.test/o', baseUrl })).toBe('https://relay.test/')
  expect(safeRedirect({ url: 'https://user@relay.test//evil.test', baseUrl })).toBe('https://relay.test/')
})

test('no text leads to another site, as a browser would follow it', () => {
  const nasty = fc.array(
    fc.constantFrom('/', '\\', '.', '..', '\t', '\n', 'evil.test', '@', ':', '?', '#', 'http:', '%2f'),
  )
  fc.assert(
    fc.property(
      fc.oneof(
        nasty.map((parts) => parts.join('')),
        fc.webUrl(),
        fc.string(),
      ),
      (text) => {
        for (const wanted of [text, `/${text}`]) {
          expect(new URL(safePath(wanted), baseUrl).origin).toBe(baseUrl)
          expect(new URL(safeRedirect({ url: wanted, baseUrl })).origin).toBe(baseUrl)
        }
      },
    ),
    { numRuns: 2_000 },
  )
})
