import { expect, test } from 'vitest'
import { readPlaywright, readVitest } from './tally.ts'

test('a vitest file that broke before its first test is one failure', () => {
  const testResults = [
    { status: 'failed', assertionResults: [] },
    { status: 'failed', assertionResults: [{}, {}] },
    { status: 'passed', assertionResults: [{}] },
  ]
  const report = { numPassedTests: 2, numFailedTests: 1, numPendingTests: 1, numTodoTests: 0, testResults }
  expect(readVitest(JSON.stringify(report))).toEqual({ passed: 2, failed: 2, skipped: 1 })
})

test('a flaky browser test and an error outside of any test are failures', () => {
  const report = { stats: { expected: 5, unexpected: 1, flaky: 1, skipped: 2 }, errors: [{}] }
  expect(readPlaywright(JSON.stringify(report))).toEqual({ passed: 5, failed: 3, skipped: 2 })
})
