/** The thread that indexes and searches the history beside the daemon's own, which carries messages meanwhile. */
import { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { hasFullText, openSearchIndex, type SearchIndex, scan, type Wanted } from './search-index.ts'
import { findPhrase } from './words.ts'

export type SearchFiles = { history: string; index: string; epoch: string }

export type SearchRequest = { id: number } & (
  | { type: 'find'; wanted: Wanted }
  /** Takes in what came since the last time, `maxRows` at most; drops what was purged up to `sweepTo`. */
  | { type: 'catchUp'; maxRows: number; sweepTo: number }
)
/** A message by its place, and where in its body stands what was searched for. */
export type Hit = { n: number; match: { from: number; to: number } | undefined }

/** `trouble`: why the answer came without the index. */
export type SearchAnswer = { id: number } & ({ hits: Hit[]; trouble?: string } | { error: Error; errcode: number })

/** So many at once share a transaction of the index. */
const SLICE_ROWS = 500

const files = workerData as SearchFiles
const history = new DatabaseSync(files.history, { readOnly: true, timeout: 1000 })
let index: SearchIndex | undefined

/** Throws what keeps the index from being used: a full disk, a broken history. */
function opened(): SearchIndex {
  index ??= openSearchIndex(files.index, history, files.epoch)
  return index
}

const bodyOf = history.prepare('SELECT body FROM message WHERE n = ?')

function hitsOf(ns: number[], { phrases }: Wanted): Hit[] {
  if (phrases.length === 0) return ns.map((n) => ({ n, match: undefined }))
  return ns.map((n) => {
    const row = bodyOf.get(n) as { body: string } | undefined
    return { n, match: row && findPhrase(row.body, phrases) }
  })
}

function find(wanted: Wanted): { ns: number[]; trouble?: string } {
  if (!hasFullText()) return { ns: scan(history, wanted), trouble: 'this Node has no full-text search; 22.16 does' }
  try {
    const ready = opened()
    while (ready.catchUp(SLICE_ROWS));
    return { ns: ready.find(wanted) }
  } catch (error) {
    const trouble = error instanceof Error ? error.message : String(error)
    // Opened anew by the next question, which also throws a broken one away.
    index?.close()
    index = undefined
    return { ns: scan(history, wanted), trouble }
  }
}

function catchUp(maxRows: number, sweepTo: number): void {
  if (!hasFullText()) return
  const ready = opened()
  if (sweepTo > 0) ready.sweep(sweepTo)
  for (let left = maxRows; left > 0 && ready.catchUp(Math.min(left, SLICE_ROWS)); left -= SLICE_ROWS);
}

parentPort?.on('message', (request: SearchRequest) => {
  const answer = (value: SearchAnswer): void => parentPort?.postMessage(value)
  try {
    if (request.type === 'find') {
      const { ns, trouble } = find(request.wanted)
      answer({ id: request.id, hits: hitsOf(ns, request.wanted), ...(trouble !== undefined && { trouble }) })
    } else {
      catchUp(request.maxRows, request.sweepTo)
      answer({ id: request.id, hits: [] })
    }
  } catch (error) {
    // SQLite's own number does not survive the copy of an error.
    answer({ id: request.id, error: error as Error, errcode: (error as { errcode?: number }).errcode ?? 0 })
  }
})
