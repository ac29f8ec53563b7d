/**
 * How this machine can be reached, kept up to date: interfaces at once; what is public only after the control plane called back
 * there, for a public address may be behind a firewall, and then every other machine would wait for it in vain.
 */
import type { Candidate, ReachAnswer } from '@agent-relay/protocol'
import { arrange, hostsOf, type Interfaces, isPrivate, ofInterfaces } from './candidates.ts'
import type { PortMapper } from './port-mapper.ts'

/** Public addresses are asked about again after this, for firewalls and routers change without telling. */
const CHECK_MS = 600_000
/** One that was not reached is tried again after this, doubling to CHECK_MS: both ends may have been busy, or not yet there. */
const AGAIN_MS = 5_000

/** `isReachable`: from outside, as the control plane tried it; null when only the other side can tell. */
type CandidateFact = Candidate & { isReachable: boolean | null; why: string }

export type Reach = {
  /** What others are told, in order. */
  candidates(): Candidate[]
  hosts(): string[]
  /** All of them, those that others are not told, too. */
  facts(): CandidateFact[]
  observedAddress(): string | null
  /** An address of a private IPv4 network, for the router; null without one. */
  lanHost(): string | null
  /** Asks router and control plane anew. Never rejects. */
  check(): Promise<void>
  /** The interfaces are others: what was found out is of another network. */
  moved(): void
  stop(): void
}

type Options = {
  port: number
  interfaces: () => Interfaces
  advertised: readonly Candidate[]
  mapper: PortMapper
  /** Rejects while the control plane is away or too old. */
  checkReach: (port: number) => Promise<ReachAnswer>
  /** What candidates() gives is another than before. */
  changed: () => void
}

export function createReach({ port, interfaces, advertised, mapper, checkReach, changed }: Options): Reach {
  /** By port, what the control plane said. */
  let answers = new Map<number, ReachAnswer>()
  let told = ''
  let running: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let isStopped = false
  let againMs = AGAIN_MS

  function all(): Candidate[] {
    const { external } = mapper.view()
    const mapped: Candidate[] = external === null ? [] : [{ kind: 'mapped', ...external }]
    return arrange([...ofInterfaces(interfaces(), port), ...advertised, ...mapped])
  }

  function judge(candidate: Candidate): CandidateFact {
    const { kind, host } = candidate
    if (kind === 'local') return { ...candidate, isReachable: null, why: 'from this computer only' }
    if (kind === 'vpn' || kind === 'lan') return { ...candidate, isReachable: null, why: 'from within its network' }
    const answer = answers.get(candidate.port)
    if (answer === undefined) return { ...candidate, isReachable: null, why: 'the control plane was not asked yet' }
    if (answer.address === host) return { ...candidate, isReachable: answer.isReachable, why: answer.why.slice(0, 200) }
    if (kind === 'advertised')
      return { ...candidate, isReachable: null, why: 'advertised: only the machine that dials it can tell' }
    return {
      ...candidate,
      isReachable: null,
      why: `the control plane sees this machine at ${answer.address ?? 'a proxy'}, not there`,
    }
  }

  /** What nobody could try is told only when a person said so. */
  const isTold = ({ kind, isReachable }: CandidateFact): boolean =>
    isReachable ?? (kind === 'local' || kind === 'vpn' || kind === 'lan' || kind === 'advertised')

  const facts = (): CandidateFact[] => all().map(judge)
  const candidates = (): Candidate[] =>
    facts()
      .filter(isTold)
      .map(({ kind, host, port: at }) => ({ kind, host, port: at }))

  function tell(): void {
    const now = JSON.stringify(candidates())
    if (now === told || isStopped) return
    told = now
    changed()
  }

  const lanHost = (): string | null =>
    ofInterfaces(interfaces(), port).find(({ kind, host }) => kind === 'lan' && !host.includes(':'))?.host ?? null

  async function run(): Promise<void> {
    clearTimeout(timer)
    await mapper.map(port, lanHost())
    const isPublic = ({ kind, host }: Candidate): boolean =>
      kind === 'public' || kind === 'mapped' || (kind === 'advertised' && !isPrivate(host))
    // The control plane calls back on no port below 1024: such a one is a person's word.
    const ports = new Set(
      all()
        .filter((one) => isPublic(one) && one.port >= 1024)
        .map((one) => one.port),
    )
    const found = new Map<number, ReachAnswer>()
    for (const one of ports) {
      const answer = await checkReach(one).catch(() => undefined)
      if (answer !== undefined) found.set(one, answer)
    }
    answers = found
    const isMissing = [...ports].some((one) => found.get(one)?.isReachable !== true)
    if (!isStopped) timer = setTimeout(() => void check(), isMissing ? againMs : CHECK_MS).unref()
    againMs = isMissing ? Math.min(2 * againMs, CHECK_MS) : AGAIN_MS
    tell()
  }

  function check(): Promise<void> {
    running ??= run().finally(() => {
      running = undefined
    })
    return running
  }

  return {
    candidates,
    hosts: () => hostsOf(interfaces()),
    facts,
    observedAddress: () => [...answers.values()].find(({ address }) => address !== null)?.address ?? null,
    lanHost,
    check,
    moved() {
      answers = new Map()
      againMs = AGAIN_MS
      told = JSON.stringify(candidates())
    },
    stop() {
      isStopped = true
      clearTimeout(timer)
    },
  }
}
