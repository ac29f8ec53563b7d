/** The SDK: an agent that sends, receives and replies, in a few lines. It reconnects by itself when the daemon restarts. */
export type { RelayError } from '../errors.ts'
export { connect } from './agent.ts'
export { type Connection, openConnection } from './connection.ts'
export type { Agent, ConnectOptions, HistoryOptions, Incoming, Receipt, SendOptions } from './types.ts'
