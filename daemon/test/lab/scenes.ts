/** Where two machines can be, as networks. */
import type { Network, Translation } from './namespaces.ts'

export const INET = { alice: '203.0.113.20', bob: '203.0.113.21' }

/** Machines in two homes, each behind its own router. */
export const twoHomes = (translation: Translation) => (network: Network) => {
  network.router('router-a', {
    outside: { wire: 'inet', address: '203.0.113.31/24' },
    inside: { wire: 'home-a', address: '192.168.1.1/24' },
    translation,
  })
  network.router('router-b', {
    outside: { wire: 'inet', address: '203.0.113.32/24' },
    inside: { wire: 'home-b', address: '192.168.2.1/24' },
    translation,
  })
  network.host('alice', { wire: 'home-a', address: '192.168.1.10/24', gateway: '192.168.1.1' })
  network.host('bob', { wire: 'home-b', address: '192.168.2.10/24', gateway: '192.168.2.1' })
}

/** Machines in one home, behind a router that nobody can punch. */
export const oneHome = (network: Network) => {
  network.router('router-a', {
    outside: { wire: 'inet', address: '203.0.113.31/24' },
    inside: { wire: 'home-a', address: '192.168.1.1/24' },
    translation: 'random',
  })
  network.host('alice', { wire: 'home-a', address: '192.168.1.10/24', gateway: '192.168.1.1' })
  network.host('bob', { wire: 'home-a', address: '192.168.1.11/24', gateway: '192.168.1.1' })
}

/** A server with a public address, and a machine at home. */
export const publicAndHome = (network: Network) => {
  network.router('router-a', {
    outside: { wire: 'inet', address: '203.0.113.31/24' },
    inside: { wire: 'home-a', address: '192.168.1.1/24' },
    translation: 'random',
  })
  network.host('alice', { wire: 'home-a', address: '192.168.1.10/24', gateway: '192.168.1.1' })
  network.host('bob', { wire: 'inet', address: `${INET.bob}/24` })
}
