/** Texts one after the other, each by its length, so that no part can flow into the next: what is signed and authenticated. */
export const prefixed = (parts: readonly string[]): string => parts.map((part) => `${part.length}:${part}`).join('')
