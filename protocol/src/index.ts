/** The ground floor: everything that the control plane and the daemon must agree on. Pure; imports nothing that does I/O. */
export * from './address.ts'
export * from './control.ts'
export * from './envelope.ts'
export * from './errors.ts'
export * from './http.ts'
export * from './names.ts'
export * from './receipt.ts'
export * from './roster.ts'
