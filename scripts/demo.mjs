import { runScript } from './bootstrap.mjs'

await runScript('demo.ts')
