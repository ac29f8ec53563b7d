/** The ILIKE pattern that finds this text anywhere, with its own wildcards taken literally. */
export const like = (text: string): string => `%${text.replace(/[\\%_]/g, '\\$&')}%`
