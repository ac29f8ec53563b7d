import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'vitest'
import { builtCli } from '../faults/built-cli.ts'
import { startTraffic } from '../faults/traffic.ts'
import { withLab } from './lab.ts'
import { publicAndHome, twoHomes } from './scenes.ts'
const cli = builtCli()
for (const [n, lay] of [['public', publicAndHome], ['punch', twoHomes('port-preserving')]] as const)
test(n, { timeout: 120_000 }, () =>
  withLab({ cli: cli(), cast: { alice: ['Alice'], bob: ['Bob'] }, lay, env: { alice: { AGENT_RELAY_LOG_LEVEL: 'debug' }, bob: { AGENT_RELAY_LOG_LEVEL: 'debug' } } }, async (lab) => {
    const t = startTraffic(lab, 100)
    for (let i = 0; i < 12; i++) { await delay(1000); console.log(i, JSON.stringify([await lab.link('alice', 'bob'), await lab.link('bob', 'alice')].map(l => [l?.state, l?.why]))) }
    t.stop()
    console.log(lab.cli('alice', 'netcheck'), lab.cli('bob', 'netcheck'))
    console.log(lab.machine('alice').daemon.lastWords().slice(-3000)); console.log('---'); console.log(lab.machine('bob').daemon.lastWords().slice(-3000)); console.log(lab.plane.lastWords())
  }))
