/** Messages as a list for a person: who to whom, how far it came, one line of its text, and the id that other commands take. */
import type { HistoryEntry } from '@agent-relay/protocol/local'
import type { z } from 'zod'
import { visibleText } from '../text/plain-text.ts'
import { columnsOf, fitColumns, wrapColumns } from '../text/width.ts'
import type { Io, Paint } from './io.ts'

type Entry = z.infer<typeof HistoryEntry>

const TIME = 8
const STATE = 8
const ID = 36
const GAP = 2
const INDENT = ' '.repeat(TIME + GAP)

/** Lines of a list that is as wide as the terminal; what is not a terminal gets texts uncut. Days are in local time. */
export function listLines(entries: readonly Entry[], { columns, paint }: Pick<Io, 'columns' | 'paint'>): string[] {
  const widest = Math.max(0, ...entries.map((entry) => columnsOf(parties(entry))))
  // The id goes to a line of its own when it would not fit, for all: a list that jumps cannot be scanned.
  const isIdBelow = TIME + GAP + widest + GAP + STATE + GAP + ID > columns
  let day = ''
  return entries.flatMap((entry) => {
    const [date = '', time = ''] = new Date(entry.at).toLocaleString('sv').split(' ')
    const heading = date === day ? [] : [...(day === '' ? [] : ['']), paint('dim', date)]
    day = date
    const { id } = entry.message
    const who = parties(entry)
    const state = stateOf(entry.state, paint)
    const head = [
      paint('dim', time),
      who + ' '.repeat(widest - columnsOf(who)),
      isIdBelow ? state : state + ' '.repeat(STATE - entry.state.length),
      ...(isIdBelow ? [] : [paint('dim', id)]),
    ].join(' '.repeat(GAP))
    return [
      ...heading,
      head,
      INDENT + textLine(entry, columns - INDENT.length, paint),
      ...noteLines(entry, columns - INDENT.length).map((note) => INDENT + paint('dim', note)),
      ...(isIdBelow ? [INDENT + paint('dim', id)] : []),
    ]
  })
}

/** `Alice → Bob@carol-lt`, `Alice → #general (Bob)`, `@dana → Alice`; a machine is named when it is another one. */
function parties({ message, toMachine, way }: Entry): string {
  const from = at(message.from, way === 'in' ? message.fromMachine : undefined)
  const to = at(message.to, way === 'out' ? toMachine : undefined)
  const isCopy = message.via !== undefined && message.via !== message.to
  return visibleText(`${from} → ${isCopy ? `${message.via} (${to})` : to}`)
}

/** People and channels are on no machine of their own. */
const at = (name: string, machine: string | undefined): string =>
  machine === undefined || /^[@#]/.test(name) ? name : `${name}@${machine}`

function stateOf(state: Entry['state'], paint: Paint): string {
  if (state === 'failed') return paint('red', state)
  if (state === 'queued' || state === 'stored') return paint('yellow', state)
  return state === 'accepted' ? state : paint('green', state)
}

function textLine(entry: Entry, columns: number, paint: Paint): string {
  const { body, thread } = entry.message
  const label = thread === undefined ? '' : `[${oneLine(thread)}] `
  const { from, to } = entry.match ?? { from: 0, to: 0 }
  const found = oneLine(body.slice(from, to))
  const room = columns - columnsOf(label) - columnsOf(found)
  const before = lastColumns(oneLine(body.slice(0, from)).trimStart(), Math.floor(room / 2))
  const after = oneLine(body.slice(to)).trimEnd() + (entry.isExcerpt ? '…' : '')
  const shown = label === '' ? '' : paint('dim', label)
  return `${shown}${before}${found && paint('yellow', found)}${fitColumns(after, room - columnsOf(before))}`
}

/** The end of a text that stands before what was found, with `…` where it is cut. */
function lastColumns(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text
  let end = text
  while (columnsOf(end) > columns - 1) end = end.slice(Math.max(1, end.length - columns))
  return `…${end.trimStart()}`
}

/** One line whatever it was, with nothing in it that moves a cursor; the spaces at its ends are kept. */
const oneLine = (text: string): string => visibleText(text).replace(/\s+/g, ' ')

function noteLines(entry: Entry, columns: number): string[] {
  // The state is said in the line above.
  const note = entry.note === null ? [] : [visibleText(entry.note).replace(/^(queued|stored|failed): /, '')]
  const again = entry.retriedAs === undefined ? [] : [`sent again as ${entry.retriedAs}`]
  return [...note, ...again].flatMap((text) => wrapColumns(text, columns))
}
