import { runScript } from './bootstrap.mjs'

await runScript('sign-in-link.ts')
