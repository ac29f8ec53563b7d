import manifest from '../package.json' with { type: 'json' }

/** Of this package; the daemon and its commands come from one build. */
export const version: string = manifest.version
