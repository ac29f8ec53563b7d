import { expect, test } from 'vitest'
import { agentLimit } from './plans.ts'

test('plans that count agents per person grow with their members, the others do not', () => {
  expect(agentLimit('free', 4)).toBe(3)
  expect(agentLimit('pro', 4)).toBe(20)
  expect(agentLimit('team', 1)).toBe(50)
  expect(agentLimit('team', 4)).toBe(200)
  expect(agentLimit('enterprise', 4)).toBe(Number.POSITIVE_INFINITY)
})
