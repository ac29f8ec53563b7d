/** The counts of the test runners' own reports. */
export type Tally = { passed: number; failed: number; skipped: number; output: string }

type Vitest = {
  numPassedTests: number
  numFailedTests: number
  numPendingTests: number
  numTodoTests: number
  testResults: { status: string; assertionResults: unknown[] }[]
}

/** A file that failed before any of its tests (a bad import, a broken hook) counts as one failure. */
export function readVitest(json: string): Omit<Tally, 'output'> {
  const report = JSON.parse(json) as Vitest
  const brokenFiles = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  ).length
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + brokenFiles,
    skipped: report.numPendingTests + report.numTodoTests,
  }
}

type Playwright = {
  stats: { expected: number; unexpected: number; flaky: number; skipped: number }
  errors: unknown[]
}

/** A flaky test is a failed one: it failed. So is an error outside of any test. */
export function readPlaywright(json: string): Omit<Tally, 'output'> {
  const { stats, errors } = JSON.parse(json) as Playwright
  return { passed: stats.expected, failed: stats.unexpected + stats.flaky + errors.length, skipped: stats.skipped }
}
