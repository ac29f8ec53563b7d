/** What the organization's control key signs. The keys and signatures themselves: protocol/crypto. */
import { prefixed } from './prefixed.ts'
import type { SignedKind } from './roster.ts'

/** The text over which a Signed has its signature: of one kind, for one organization. */
export const signedText = (kind: SignedKind, org: string, text: string): string =>
  prefixed([`agent-relay/${kind}/v1`, org, text])
