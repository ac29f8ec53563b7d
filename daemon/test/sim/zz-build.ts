import { bundle } from './zz-bundle.ts'
import { renameSync } from 'node:fs'
renameSync(await bundle(), '/work/wt/simlinks/.build/sim/prof.mjs')
