/** Whether this host name or address, without a port, can only mean this computer. */
export const isLoopbackHost = (host: string): boolean => {
  const name = host
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
  return name === 'localhost' || name.endsWith('.localhost') || name === '::1' || /^127(\.\d{1,3}){3}$/.test(name)
}

/** The host of a `Host` header, without its port. */
export const hostOf = (header: string | null): string => (header ?? '').replace(/:\d+$/, '')
