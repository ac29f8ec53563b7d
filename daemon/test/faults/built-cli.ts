import { rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { buildBundle } from '../support/bundle.ts'

/** The daemon as it is shipped, built once for a test file; gives the path of its bin to the tests. */
export function builtCli(): () => string {
  let cli = ''
  beforeAll(() => {
    cli = buildBundle()
  })
  afterAll(() => rmSync(join(dirname(cli), '../../..'), { recursive: true, force: true }))
  return () => cli
}
