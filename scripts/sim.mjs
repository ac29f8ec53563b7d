import { runScript } from './bootstrap.mjs'

await runScript('sim.ts')
