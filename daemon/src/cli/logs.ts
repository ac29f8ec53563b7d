import { closeSync, fstatSync, openSync, readSync, watch } from 'node:fs'
import { RelayError } from '../errors.ts'
import { readEnvironment } from '../home/env.ts'
import { homePaths } from '../home/paths.ts'
import { visibleText } from '../text/plain-text.ts'
import { defineCommand } from './command.ts'
import { EXIT } from './exit.ts'

/** Without -f: what fits on a few screens. */
const TAIL_BYTES = 64 * 1024
const CHUNK_BYTES = 64 * 1024

export const command = defineCommand({
  name: 'logs',
  summary: "the daemon's log",
  options: { follow: { kind: 'flag', short: 'f', help: 'go on printing what is added' } },
  async run({ options }, io) {
    const { log } = homePaths(readEnvironment().home)
    const fd = openLog(log)
    const { size } = fstatSync(fd)
    let at = Math.max(0, size - TAIL_BYTES)
    let isWhole = at === 0
    let pending = Buffer.alloc(0)

    function printNew(): void {
      const { size: now } = fstatSync(fd)
      if (now < at) at = 0
      const buffer = Buffer.alloc(CHUNK_BYTES)
      for (
        let read = readSync(fd, buffer, 0, CHUNK_BYTES, at);
        read > 0;
        read = readSync(fd, buffer, 0, CHUNK_BYTES, at)
      ) {
        at += read
        pending = Buffer.concat([pending, buffer.subarray(0, read)])
        const end = pending.lastIndexOf(0x0a)
        if (end < 0) continue
        const lines = pending.subarray(0, end).toString('utf8').split('\n')
        pending = pending.subarray(end + 1)
        if (!isWhole) lines.shift()
        isWhole = true
        for (const line of lines) io.print(visibleText(line))
      }
    }

    printNew()
    if (!options.follow) {
      closeSync(fd)
      return EXIT.ok
    }
    watch(log, printNew)
    // Until Ctrl-C.
    return new Promise<never>(() => {})
  },
})

function openLog(log: string): number {
  try {
    return openSync(log, 'r')
  } catch {
    throw new RelayError('NOT_FOUND', `There is no log at ${log} yet. Next: agent-relay up`)
  }
}
