import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{lib,protocol/{src,crypto},daemon/src,daemon/test,components,scripts}/**/*.test.ts'],
    globalSetup: ['lib/testing/global-setup.ts'],
    setupFiles: ['scripts/property-seed.ts'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
})
