import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{lib,protocol/{src,crypto},daemon/src,daemon/test,components,scripts}/**/*.test.ts'],
    globalSetup: ['lib/testing/global-setup.ts'],
    setupFiles: ['scripts/property-seed.ts'],
    // With which keys of organizations are encrypted at rest.
    env: {
      AUTH_SECRET: 'of the tests, and of nobody else: 0123456789',
      // No test asks the router of whoever runs it to open a port.
      AGENT_RELAY_PORT_MAPPING: 'off',
    },
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
})
