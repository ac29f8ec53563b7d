/** A damaged relay.db in words: for status, for the log, and for whoever asks for what may have been in it. */
import type { Store } from '../store/store.ts'

const when = (at: number): string => new Date(at).toLocaleString('sv').slice(0, 16)
const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`

/** What happened and what to do about it, or undefined when nothing did that nobody has taken note of. */
export function damageReport(store: Store): string | undefined {
  const damage = store.damage()
  if (damage === undefined) return undefined
  const { at, why, aside, kept, requeued, failed } = damage
  const saved = `${count(kept, 'waiting message')} and ${count(requeued, 'unsent one')} were saved`
  const lost = failed === 0 ? '' : `; of ${failed} it is not known whether they arrived: agent-relay dead`
  const end = aside === null ? '' : `. Older history is in ${aside}; move or delete that file to end this note`
  return `relay.db was damaged and replaced on ${when(at)} (${why}): ${saved}${lost}${end}`
}

/** Why something may be missing from an answer, or undefined when nothing is. */
export function damageNotice(store: Store): string | undefined {
  const damage = store.damage()
  if (damage === undefined) return undefined
  return `relay.db was damaged, and finished messages from before ${when(damage.at)} are not in it: agent-relay status says more.`
}
