/** Which way messages go between two machines, by where the machines are. */
import { describe, expect, test } from 'vitest'
import { builtCli } from '../faults/built-cli.ts'
import { startTraffic } from '../faults/traffic.ts'
import { isDirect, type Lab, withLab } from './lab.ts'
import { type Network, whyNoLab } from './namespaces.ts'
import { oneHome, publicAndHome, twoHomes } from './scenes.ts'

const cast = { alice: ['Alice'], bob: ['Bob'] }
/** From the first message to a direct link: candidates by the relay, dials, proofs; with room for a busy computer. */
const FOUND_MS = 30_000
/** What the relay may take to carry a first message. */
const RELAYED_MS = 3_000
const options = { timeout: 120_000 }
const why = whyNoLab()

describe.skipIf(why !== undefined)(
  `paths in networks of this computer's own${why === undefined ? '' : ` (${why})`}`,
  () => {
    const cli = builtCli()

    const found: [string, (network: Network) => void, kind: string][] = [
      ['in one home', oneHome, 'lan'],
      ['at home and on a server', publicAndHome, 'public'],
      ['in two homes whose routers keep ports', twoHomes('port-preserving'), 'punched'],
      ['in two homes, within one private network over them', withVpn, 'vpn'],
    ]
    for (const [where, lay, kind] of found)
      test(`machines ${where} find a direct link: ${kind}`, options, () =>
        withLab({ cli: cli(), cast, lay }, async (lab) => {
          await talk(lab)
          await lab.until('alice', 'bob', isDirect, FOUND_MS)
          const link = await lab.link('alice', 'bob')
          expect(link?.kind, JSON.stringify(link)).toBe(kind)
          expect(lab.cli('alice', 'ping', 'Bob')).toMatch(new RegExp(`^pong from Bob@bob via direct ${kind} `, 'm'))
          expect(lab.cli('bob', 'status')).toMatch(new RegExp(`^alice .* active; direct ${kind} `, 'm'))
          await talk(lab)
          expect(await lab.verdict()).toEqual([])
        }),
      )

    test('machines in two homes whose routers change ports go by relay, at once and for good', options, () =>
      withLab({ cli: cli(), cast, lay: twoHomes('random') }, async (lab) => {
        const [alice, bob] = [lab.agent('Alice'), lab.agent('Bob')]
        const attempt = await alice.send(bob)
        await lab.bell.until(() => attempt?.arrivedAt !== undefined)
        expect((attempt?.arrivedAt ?? 0) - (attempt?.askedAt ?? 0)).toBeLessThan(RELAYED_MS)
        await lab.until('alice', 'bob', (link) => link?.state === 'relay', FOUND_MS)
        await talk(lab)
        const link = await lab.link('alice', 'bob')
        expect(link).toMatchObject({ state: 'relay', kind: null })
        expect(lab.cli('alice', 'status')).toMatch(/^bob .* active; relay /m)
        expect(lab.cli('alice', 'netcheck')).toMatch(/NAT keeps ports: no/)
        expect(await lab.verdict()).toEqual([])
      }),
    )
  },
)

/** Both are in two homes that nobody can punch, and have a tunnel's interface beside their own. */
function withVpn(network: Network): void {
  twoHomes('random')(network)
  network.attach('alice', { wire: 'tunnel', address: '100.64.0.1/24', device: 'wg0' })
  network.attach('bob', { wire: 'tunnel', address: '100.64.0.2/24', device: 'wg0' })
}

/** Twenty messages each way, taken. */
async function talk(lab: Lab): Promise<void> {
  const before = lab.agents.map(({ handedOver }) => handedOver.length)
  const traffic = startTraffic(lab, 50)
  await lab.bell.until(() => lab.agents.every(({ handedOver }, i) => handedOver.length >= (before[i] ?? 0) + 20))
  traffic.stop()
}
