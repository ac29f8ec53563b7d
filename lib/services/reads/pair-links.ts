/**
 * What is shown of a link between two machines, made of what each of its ends says. Pure. Both look at one link at different
 * times, so for a moment they may differ; what they do not agree on is shown as doubted, with the words of both.
 */
import type { LinkEnd, LinkRow } from '#lib/trpc/views.ts'

export type LinkMachine = {
  id: string
  name: string
  isOnline: boolean
  /** Round trip to the control plane in ms; null while it is not known. */
  latencyMs: number | null
  lastSeenAt: number | null
}
export type Said = LinkEnd & { machineId: string; peerId: string }

/** One row per pair of which anybody said anything, by the names of its machines. `said` has at most one entry each way. */
export function pairLinks(machines: readonly LinkMachine[], said: readonly Said[]): LinkRow[] {
  const byId = new Map(machines.map((machine) => [machine.id, machine]))
  const pairs = new Map<string, { a: LinkMachine; b: LinkMachine; ends: [LinkEnd | null, LinkEnd | null] }>()
  for (const { machineId, peerId, ...end } of said) {
    const [from, to] = [byId.get(machineId), byId.get(peerId)]
    if (from === undefined || to === undefined || from === to) continue
    const isFirst = isBefore(from, to)
    const [a, b] = isFirst ? [from, to] : [to, from]
    const id = `${a.id}.${b.id}`
    const pair = pairs.get(id) ?? { a, b, ends: [null, null] }
    pair.ends[isFirst ? 0 : 1] = end
    pairs.set(id, pair)
  }
  return [...pairs]
    .map(([id, { a, b, ends }]) => ({
      id,
      a: { id: a.id, name: a.name },
      b: { id: b.id, name: b.name },
      ends,
      ...judge(a, b, ends),
    }))
    .sort((x, y) => x.a.name.localeCompare(y.a.name) || x.b.name.localeCompare(y.b.name))
}

const isBefore = (one: LinkMachine, other: LinkMachine): boolean =>
  one.name === other.name ? one.id < other.id : one.name.localeCompare(other.name) < 0

type Judged = Omit<LinkRow, 'id' | 'a' | 'b' | 'ends'>

function judge(a: LinkMachine, b: LinkMachine, ends: [LinkEnd | null, LinkEnd | null]): Judged {
  // What a machine said before it went is not known to be so any more.
  const [first, second] = [a.isOnline ? ends[0] : null, b.isOnline ? ends[1] : null]
  const live = [first, second].filter((end) => end !== null)
  const newest = live.toSorted((x, y) => y.updatedAt - x.updatedAt)[0]
  const away = [a, b].filter((machine) => !machine.isOnline)
  if (newest === undefined) return isDown(away)
  if (live.length === 2 && live.some(isDirect) && !live.every(isDirect)) return isDoubted(a, b, ends, live)
  // The relay carries nothing to a machine that is not there; a direct link may.
  if (away.length > 0 && newest.state !== 'direct') return isDown(away)
  return {
    ...agreed(live, newest, [a, b]),
    isOneSided: live.length < 2,
    why: whyOf(newest, live, [a, b], first !== null),
  }
}

const isDirect = (end: LinkEnd): boolean => end.state === 'direct'

/** Since the first of them went. */
const isDown = (away: LinkMachine[]): Judged => ({
  state: 'down',
  kind: null,
  latencyMs: null,
  isEstimate: false,
  since: away.flatMap(({ lastSeenAt }) => lastSeenAt ?? []).toSorted((x, y) => x - y)[0] ?? null,
  isOneSided: false,
  why: `${names(away)} ${away.length === 1 ? 'is' : 'are'} offline`,
})

const names = (machines: LinkMachine[]): string => machines.map(({ name }) => name).join(' and ')

/** One end has a direct link and the other does not: it has just come or just gone, or only one of them knows. */
function isDoubted(a: LinkMachine, b: LinkMachine, ends: LinkRow['ends'], live: LinkEnd[]): Judged {
  const direct = live.find(isDirect)
  return {
    state: 'suspect',
    kind: direct?.kind ?? null,
    latencyMs: direct?.latencyMs ?? null,
    isEstimate: false,
    since: Math.max(...live.map(({ since }) => since)),
    isOneSided: true,
    why: `${a.name} says ${ends[0]?.state}, ${b.name} says ${ends[1]?.state}`,
  }
}

/** A direct link is so since the later of both says so; probing and doubt of one end are the pair's. */
function agreed(
  live: LinkEnd[],
  newest: LinkEnd,
  pair: [LinkMachine, LinkMachine],
): Omit<Judged, 'why' | 'isOneSided'> {
  const state =
    (['suspect', 'direct', 'probing'] as const).find((one) => live.some((end) => end.state === one)) ?? 'relay'
  const shown = live.find((end) => end === newest && end.state === state) ?? live.find((end) => end.state === state)
  const measured = shown?.latencyMs ?? live.find(({ latencyMs }) => latencyMs !== null)?.latencyMs ?? null
  const isRelayed = state === 'relay' || state === 'probing'
  const [one, other] = pair.map(({ latencyMs }) => latencyMs)
  const estimate = isRelayed && one != null && other != null ? one + other : null
  return {
    state,
    kind: shown?.kind ?? null,
    latencyMs: measured ?? estimate,
    isEstimate: measured === null && estimate !== null,
    since: Math.max(...live.filter((end) => end.state === state).map(({ since }) => since)),
  }
}

function whyOf(newest: LinkEnd, live: LinkEnd[], [a, b]: [LinkMachine, LinkMachine], hasFirst: boolean): string {
  if (live.length === 2) return newest.why
  const [speaker, silent] = hasFirst ? [a, b] : [b, a]
  const reason = silent.isOnline ? 'has not said how it is' : 'is not connected to the control plane'
  return `${newest.why}; only ${speaker.name} says so, ${silent.name} ${reason}`
}
