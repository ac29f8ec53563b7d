/** The SQLSTATE with which Postgres refused a raw query; undefined for any other error. */
export function sqlState(error: unknown): string | undefined {
  const { meta } = (error ?? {}) as { meta?: { driverAdapterError?: { cause?: { originalCode?: string } } } }
  return meta?.driverAdapterError?.cause?.originalCode
}
