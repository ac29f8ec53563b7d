import { readdirSync } from 'node:fs'
import { defineConfig, devices } from '@playwright/test'

const isRoot = process.getuid?.() === 0

export default defineConfig({
  testDir: 'e2e',
  outputDir: 'test-results',
  // Every file is a project, and so gets a worker, a control plane and machines of its own. One after the other: they measure times.
  workers: 1,
  projects: readdirSync('e2e')
    .filter((file) => file.endsWith('.spec.ts'))
    .map((file) => ({ name: file.replace('.spec.ts', ''), testMatch: file })),
  retries: 0,
  timeout: 60_000,
  use: {
    ...devices['Desktop Chrome'],
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: process.env.CHROMIUM_PATH,
      args: isRoot ? ['--no-sandbox'] : [],
    },
  },
})
