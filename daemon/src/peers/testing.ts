/** Machines for the tests of links: real transports over real sockets, and a roster that a test writes. */
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import type { CandidateKind, PeerFrames } from '@agent-relay/protocol'
import { createSocketTransport, type SocketTransportOptions } from './socket-transport.ts'
import type { Dial, PeerLink, PeerSide, PeerTransport } from './transport.ts'

export type Identity = { machine: string; publicKey: string; pem: string }

export function newIdentity(): Identity {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  return {
    machine: randomUUID(),
    publicKey: publicKey.export({ format: 'jwk' }).x as string,
    pem: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  }
}

type Told =
  | { what: 'opened'; link: PeerLink }
  | { what: 'frame'; link: PeerLink; event: keyof PeerFrames; frame: unknown }
  | { what: 'closed'; link: PeerLink; why: string }
  | { what: 'behind'; version: number }
  | { what: 'refused'; why: string }

export type TestMachine = Identity & {
  transport: PeerTransport
  side: PeerSide
  port: number
  /** Keys by machine; itself among them. */
  roster: Map<string, string>
  rosterVersion: number
  told: Told[]
  /** The first of the kind that was told and not yet taken, or the next one. */
  next<W extends Told['what']>(what: W): Promise<Extract<Told, { what: W }>>
  dial(to: TestMachine | Identity, dial?: Partial<Dial> & { port?: number; kind?: CandidateKind }): Promise<PeerLink>
}

export const ORG = '0199c0de-0000-7000-8000-00000000000a'

/** A machine that listens on a port of 127.0.0.1, alone in its roster. */
export async function startMachine(
  options: SocketTransportOptions & { org?: string; identity?: Identity; isDeaf?: boolean } = {},
): Promise<TestMachine> {
  const { org = ORG, identity = newIdentity(), isDeaf = false, ...limits } = options
  const told: Told[] = []
  const waits: { what: string; resolve(told: never): void }[] = []
  function tell(one: Told): void {
    const wait = waits.findIndex(({ what }) => what === one.what)
    if (wait === -1) told.push(one)
    else waits.splice(wait, 1)[0]?.resolve(one as never)
  }
  const machine = { ...identity, roster: new Map([[identity.machine, identity.publicKey]]), rosterVersion: 1 }
  const side: PeerSide = {
    org,
    machine: identity.machine,
    bootId: randomUUID(),
    identityKey: identity.pem,
    publicKeyOf: (id) => machine.roster.get(id),
    machineOf: (key) => [...machine.roster].find(([, known]) => known === key)?.[0],
    rosterVersion: () => machine.rosterVersion,
    behind: (version) => tell({ what: 'behind', version }),
    opened: (link) => tell({ what: 'opened', link }),
    frame: (link, event, frame) => tell({ what: 'frame', link, event, frame }),
    closed: (link, why) => tell({ what: 'closed', link, why }),
  }
  const transport = await createSocketTransport(side, {
    refused: ({ why }) => tell({ what: 'refused', why }),
    ...limits,
  })
  const port = isDeaf ? 0 : await transport.listen(0)
  return Object.assign(machine, {
    transport,
    side,
    port,
    told,
    next: (what: string) =>
      new Promise<never>((resolve) => {
        const at = told.findIndex((one) => one.what === what)
        if (at === -1) waits.push({ what, resolve })
        else resolve(told.splice(at, 1)[0] as never)
      }),
    dial: (
      to: TestMachine | Identity,
      { port, kind = 'lan', ...more } = {} as Partial<Dial> & { port?: number; kind?: CandidateKind },
    ) =>
      transport.dial({
        machine: to.machine,
        candidate: { kind, host: '127.0.0.1', port: port ?? (to as TestMachine).port },
        timeoutMs: 2_000,
        signal: new AbortController().signal,
        ...more,
      }),
  }) as TestMachine
}

/** Puts each into the rosters of all. */
export function introduce(...machines: TestMachine[]): void {
  for (const one of machines) for (const other of machines) one.roster.set(other.machine, other.publicKey)
}
