/** Limits that programs need which must not load a schema library. */

/** Largest body in bytes of UTF-8. 256 KiB leaves a batch of messages within one Socket.IO frame. */
export const MAX_BODY_BYTES = 256 * 1024
