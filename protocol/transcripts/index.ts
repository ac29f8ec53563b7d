/**
 * What programs of an earlier version really said to each other, recorded from the release 0.1.0 and replayed against this
 * source: `>` is what whoever opened the connection said, `<` what came back. `control-1.schema.json` is what that release
 * accepts, made from its own schemas and strict: a field that it does not know is an error;
 * `control-2.schema.json` is the same of the last source before version 3.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

export type Said = { isOpener: boolean; text: string }

/** One section of a transcript, in order. Throws when there is none of that name. */
export function transcript(name: 'control-1' | 'local-1', section: string): Said[] {
  const lines = read(`${name}.txt`).trimEnd().split('\n')
  const start = lines.indexOf(`# ${section}`)
  if (start < 0) throw new Error(`${name}.txt has no section ${section}`)
  const length = lines.slice(start + 1).findIndex((line) => line.startsWith('# '))
  const own = lines.slice(start + 1, length < 0 ? undefined : start + 1 + length)
  return own.map((line) => ({ isOpener: line.startsWith('> '), text: line.slice(2) }))
}

const schemas = [1, 2].map((version) => JSON.parse(read(`control-${version}.schema.json`)))

/** What this version accepts as this event, or as the answer to it. */
export const asVersion = (version: 1 | 2, event: string): z.ZodType => z.fromJSONSchema(schemas[version - 1][event])
export const asVersion1 = (event: string): z.ZodType => asVersion(1, event)

function read(file: string): string {
  return readFileSync(join(import.meta.dirname, file), 'utf8')
}

/** A Socket.IO packet of the recorded kind: `42/machines,7["relay",{…}]` and the like. */
export type Packet = {
  kind: 'connect' | 'disconnect' | 'event' | 'ack' | 'refused'
  id: number | undefined
  data: unknown
}

const kinds: Record<string, Packet['kind']> = { 0: 'connect', 1: 'disconnect', 2: 'event', 3: 'ack', 4: 'refused' }

/** Reads a packet; undefined for the engine's own frames. */
export function readPacket(text: string): Packet | undefined {
  const [, kind, id, data] = /^4([0-4])\/machines,(\d*)(.*)$/s.exec(text) ?? []
  if (kind === undefined) return undefined
  return {
    kind: kinds[kind] as Packet['kind'],
    id: id ? Number(id) : undefined,
    data: data ? JSON.parse(data) : undefined,
  }
}

/** The name of an event packet. */
export const eventOf = ({ kind, data }: Packet): string | undefined =>
  kind === 'event' ? ((data as unknown[])[0] as string) : undefined

/** The payload of the first event of this name that was said so. Throws when there is none. */
// biome-ignore lint/suspicious/noExplicitAny: its type is the event's
export function payloadOf(said: Said[], event: string): any {
  for (const { text } of said) {
    const packet = readPacket(text)
    if (packet !== undefined && eventOf(packet) === event) return (packet.data as unknown[])[1]
  }
  throw new Error(`the transcript has no event ${event}`)
}
