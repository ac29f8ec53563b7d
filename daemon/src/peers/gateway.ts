/** The router of a private network, for NAT-PMP, which is asked by its address. */
import { readFileSync } from 'node:fs'

/** By Linux's routing table; elsewhere the first address of the network, which nearly every home's router has. */
export function routerOf(lanHost: string): string {
  try {
    const found = gatewayIn(readFileSync('/proc/net/route', 'utf8'))
    if (found !== undefined) return found
  } catch {
    // Not Linux.
  }
  return lanHost.replace(/\d+$/, '1')
}

/** The default route's gateway in the form of /proc/net/route: hexadecimal, the last byte first. */
export function gatewayIn(table: string): string | undefined {
  for (const line of table.split('\n').slice(1)) {
    const [, destination, gateway] = line.trim().split(/\s+/)
    if (destination !== '00000000' || gateway === undefined || !/^[0-9A-F]{8}$/i.test(gateway)) continue
    if (gateway !== '00000000') return [...Buffer.from(gateway, 'hex')].reverse().join('.')
  }
  return undefined
}
