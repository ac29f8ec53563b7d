import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createRelayReader, type RelayEvent } from './relay-reader.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

function read(text: string | Uint8Array, cuts: number[] = []): RelayEvent[] {
  const whole = typeof text === 'string' ? bytes(text) : text
  const reader = createRelayReader()
  const edges = [0, ...cuts.map((cut) => cut % (whole.length + 1)).sort((a, b) => a - b), whole.length]
  const events = edges.slice(1).flatMap((edge, i) => reader.write(whole.subarray(edges[i], edge)))
  return [...events, ...reader.end()]
}

/** How a careful program prints a body as a block. */
const asBlock = (to: string, body: string, options = ''): string =>
  `->relay:${to}${options} <<<\n${body.replace(/^(\\*>>>\s*)$/gm, '\\$1')}\n>>>\n`

const bodies = fc
  .string({ unit: 'grapheme', maxLength: 300 })
  .map((text) => text.replace(/[\p{Cc}]/gu, (c) => (c === '\n' || c === '\t' ? c : '')))
  .filter((text) => text.trim() !== '')
const line = fc.constantFrom('->relay:Bob hi', '->relay:Bob <<<', '>>>', '```', 'plain', '\\->relay:Bob no', '')
const noise = fc.constantFrom(
  '\u001b[31m',
  '\u001b[0m',
  '\u001b]0;title\u0007',
  '\u001b[2K',
  '\u001b(B',
  '\u001b]8;;http://x\u001b\\',
)

describe('the relay reader', () => {
  test('reads one line and a block with options, in order', () => {
    expect(
      read('hello\n->relay:Bob one line\n->relay:api:Carol [thread=x] [ttl=5m] <<<\na\n\n  b\n>>>\nbye\n'),
    ).toEqual([
      { kind: 'send', to: 'Bob', body: 'one line' },
      { kind: 'send', to: 'api:Carol', body: 'a\n\n  b', thread: 'x', ttlMs: 300_000 },
    ])
  })

  test('gives the same events wherever the chunks are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(noise, line, fc.constantFrom('\n', '\r\n', '')), { maxLength: 12 }),
        fc.array(fc.nat()),
        (parts, cuts) => {
          const text = parts.flat().join('')
          expect(read(text, cuts)).toEqual(read(text))
        },
      ),
    )
  })

  test('survives any bytes without an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.array(fc.nat()), (raw, cuts) => {
        read(raw, cuts)
      }),
    )
  })

  test('gives back every body that is printed as a block, with any line ends and colours', () => {
    fc.assert(
      fc.property(bodies, fc.boolean(), noise, fc.array(fc.nat()), (body, isCrlf, colour, cuts) => {
        const printed = asBlock('Bob', body).replace(/^/gm, colour)
        expect(read(isCrlf ? printed.replaceAll('\n', '\r\n') : printed, cuts)).toEqual([
          { kind: 'send', to: 'Bob', body },
        ])
      }),
    )
  })

  test('leaves alone what is escaped, quoted, indented or inside a code fence', () => {
    expect(
      read(
        '\\->relay:Bob no\nsay ->relay:Bob no\n > ->relay:Bob no\n```sh\n->relay:Bob no\n```\n~~~\n```\n->relay:Bob no\n~~~\n',
      ),
    ).toEqual([])
    expect(read('```\nx\n```\n->relay:Bob yes\n')).toHaveLength(1)
  })

  test('a fence that never closes does not silence a program for ever', () => {
    expect(read(`\`\`\`\n${'log\n'.repeat(1000)}->relay:Bob yes\n`)).toEqual([{ kind: 'send', to: 'Bob', body: 'yes' }])
  })

  test('counts what follows the last carriage return of a line, as a terminal shows it', () => {
    expect(read('working 50%\rworking 99%\r\u001b[K->relay:Bob done\r\n')).toEqual([
      { kind: 'send', to: 'Bob', body: 'done' },
    ])
  })

  test('says of every message that cannot be sent why', () => {
    const reasons = (text: string) => read(text).map((event) => (event.kind === 'refused' ? event.reason : event))
    expect(reasons('->relay: Bob hi\n')).toEqual([expect.stringContaining('must follow')])
    expect(reasons('->relay:B!b hi\n')).toEqual([expect.stringContaining('"B!b" is not an address')])
    expect(reasons('->relay:Bob\n')).toEqual(['the message to Bob is empty'])
    expect(reasons('->relay:Bob [ttl=soon] hi\n')).toEqual([expect.stringContaining('ttl=soon')])
    expect(reasons('->relay:Bob <<<\nhalf')).toEqual(['the block to Bob never got its closing line ">>>"'])
    expect(reasons(`->relay:Bob <<<\n${'x'.repeat(1000).concat('\n').repeat(300)}>>>\n`)).toEqual([
      expect.stringContaining('over 256 KiB'),
    ])
    expect(reasons(`->relay:Bob ${'y'.repeat(3_000_000)}\n`)).toEqual([expect.stringContaining('over 256 KiB')])
  })

  test('takes a body of exactly 256 KiB', () => {
    const body = `${'x'.repeat(1023)}\n`.repeat(256).slice(0, -1)
    expect(read(asBlock('Bob', `${body}z`))).toEqual([{ kind: 'send', to: 'Bob', body: `${body}z` }])
    expect(read(asBlock('Bob', `${body}zz`))[0]?.kind).toBe('refused')
  })

  test('reads what a terminal echoes and the program repeats once, not twice', () => {
    const reader = createRelayReader()
    reader.expectEcho('->relay:Bob hi')
    expect(reader.write(bytes('->relay:Bob hi\r\n->relay:Bob hi\r\n'))).toEqual([
      { kind: 'send', to: 'Bob', body: 'hi' },
    ])
  })
})
