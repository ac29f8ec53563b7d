import { renameSync } from 'node:fs'
import { bundle } from './zz-bundle.ts'

renameSync(await bundle(), '/work/wt/simlinks/.build/sim/prof.mjs')
