import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{lib,protocol/{src,crypto},daemon/src,daemon/test,components,scripts}/**/*.test.ts'],
    globalSetup: ['lib/testing/global-setup.ts'],
    setupFiles: ['scripts/property-seed.ts'],
    // With which keys of organizations are encrypted at rest.
    env: { AUTH_SECRET: 'of the tests, and of nobody else: 0123456789' },
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
})
