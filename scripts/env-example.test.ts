import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { envExample } from './env-example.ts'

test('.env.example is what lib/env.ts describes: otherwise run node scripts/env-example.ts', () => {
  expect(readFileSync('.env.example', 'utf8')).toBe(envExample())
})
