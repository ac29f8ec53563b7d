/** The cryptography that both programs share, on node:crypto; apart from the rest because browsers load that too. */
export * from './keys.ts'
export * from './seal.ts'
export * from './signed.ts'
