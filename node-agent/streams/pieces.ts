/** Bytes in parts that fit into a message. */
export function* pieces(data: Uint8Array): Iterable<Buffer> {
  const buffer = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  for (let start = 0; start < buffer.length; start += CHUNK_BYTES_MAX)
    yield buffer.subarray(start, start + CHUNK_BYTES_MAX);
}

const CHUNK_BYTES_MAX = 64 * 1024;
