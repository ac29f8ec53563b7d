/** Follows the WebSocket frames of one direction, so that a proxy can lose those of the application and pass Engine.IO's pings. */

/**
 * Reads a direction of an upgraded HTTP connection from its first byte. Gives back what passes: every whole frame, or, when
 * `isDeaf`, only Engine.IO's `2` and `3` (its ping and pong) and the control frames of WebSocket itself.
 */
export function websocketFrames(): (chunk: Buffer, isDeaf: boolean) => Buffer {
  let isUpgraded = false
  let rest: Buffer = Buffer.alloc(0)
  return (chunk, isDeaf) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const passed: Buffer[] = []
    if (!isUpgraded) {
      const end = rest.indexOf('\r\n\r\n')
      if (end < 0) return Buffer.alloc(0)
      passed.push(rest.subarray(0, end + 4))
      rest = rest.subarray(end + 4)
      isUpgraded = true
    }
    for (let frame = frameAt(rest); frame !== undefined; frame = frameAt(rest)) {
      if (!isDeaf || frame.isHeartbeat) passed.push(rest.subarray(0, frame.sizeBytes))
      rest = rest.subarray(frame.sizeBytes)
    }
    return Buffer.concat(passed)
  }
}

/** RFC 6455, 5.2; undefined until all of it is there. */
function frameAt(bytes: Buffer): { sizeBytes: number; isHeartbeat: boolean } | undefined {
  if (bytes.length < 2) return undefined
  const [head = 0, second = 0] = bytes
  const isMasked = (second & 0x80) !== 0
  let length = second & 0x7f
  let at = 2
  if (length === 126) {
    if (bytes.length < 4) return undefined
    length = bytes.readUInt16BE(2)
    at = 4
  } else if (length === 127) {
    if (bytes.length < 10) return undefined
    length = Number(bytes.readBigUInt64BE(2))
    at = 10
  }
  const mask = isMasked ? bytes[at] : 0
  if (isMasked) at += 4
  if (bytes.length < at + length) return undefined
  const isControl = (head & 0x08) !== 0
  const letter = length === 1 ? String.fromCharCode((bytes[at] ?? 0) ^ (mask ?? 0)) : ''
  return { sizeBytes: at + length, isHeartbeat: isControl || letter === '2' || letter === '3' }
}
