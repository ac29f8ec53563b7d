import { runScript } from './bootstrap.mjs'

await runScript('../bench/index.ts')
