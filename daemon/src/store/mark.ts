/**
 * How far relay.db has come, in a file beside it: the place of its newest message, written after every commit. A relay.db that
 * knows less has lost commits (its log was deleted or damaged, or an old copy was put back), which SQLite cannot see and which
 * would number new messages as old ones. Not synced: after a power cut it says too little, never too much.
 */
import { closeSync, constants, openSync, readSync, rmSync, writeSync } from 'node:fs'

export type Mark = {
  /** The newest message that relay.db is known to have had; 0 when nothing is known. */
  read(): number
  write(n: number): void
  close(): void
}

/** The number and its complement: half of a write is no number. */
const BYTES = 16

/** Opens the mark of a database at `path`; a database in memory has none. A full disk keeps it from being made, no more. */
export function openMark(path: string): Mark {
  if (path === ':memory:') return { read: () => 0, write: () => undefined, close: () => undefined }
  const file = openSync(markPath(path), constants.O_RDWR | constants.O_CREAT, 0o600)
  const bytes = Buffer.alloc(BYTES)
  return {
    read() {
      if (readSync(file, bytes, 0, BYTES, 0) < BYTES) return 0
      const n = bytes.readBigUInt64LE(0)
      return n === BigInt.asUintN(64, ~bytes.readBigUInt64LE(8)) ? Number(n) : 0
    },
    write(n) {
      bytes.writeBigUInt64LE(BigInt(n), 0)
      bytes.writeBigUInt64LE(BigInt.asUintN(64, ~BigInt(n)), 8)
      try {
        writeSync(file, bytes, 0, BYTES, 0)
      } catch {
        // It says too little then, which is no harm.
      }
    },
    close: () => closeSync(file),
  }
}

/** Forgets it, for a database that begins anew. */
export const removeMark = (path: string): void => rmSync(markPath(path), { force: true })

const markPath = (path: string): string => `${path}-mark`
