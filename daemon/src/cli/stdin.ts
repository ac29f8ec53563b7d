/** Text from a pipe. */
import { RelayError } from '../errors.ts'

/** All of stdin as UTF-8, without the line feed at its end. Throws before it has read much more than `maxBytes`. */
export async function readStdinText(maxBytes: number): Promise<string> {
  const parts: Buffer[] = []
  let sizeBytes = 0
  for await (const part of process.stdin as AsyncIterable<Buffer>) {
    parts.push(part)
    sizeBytes += part.length
    if (sizeBytes > maxBytes + 1)
      throw new RelayError(
        'TOO_LARGE',
        `The text is over ${maxBytes / 1024} KiB, the most that one message carries. Next: send a path or a summary`,
      )
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(parts)).replace(/\n$/, '')
  } catch {
    throw new RelayError('BAD_REQUEST', 'The text is not UTF-8. Next: send the path of the file instead')
  }
}
