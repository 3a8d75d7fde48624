// Small arrays of bytes, cut from larger ones. A message on its way is encoded, wrapped and joined a dozen
// times, and a backing store of its own for each step costs more than the step: the allocator and the
// collector of backing stores were a tenth of a server's work.

const SLAB_BYTES = 32 * 1024;
/** Larger arrays get a store of their own, so that they don't pin a slab with others in it. */
const PIECE_BYTES_MAX = 2 * 1024;

let slab = new Uint8Array(SLAB_BYTES);
let used = 0;

/**
 * `length` bytes, all zero. Others live in the same buffer: never transfer it to another thread, nor post a
 * view of it (a structured clone copies the whole buffer).
 */
export function allocate(length: number): Uint8Array {
  if (length > PIECE_BYTES_MAX) return new Uint8Array(length);
  if (used + length > SLAB_BYTES) {
    slab = new Uint8Array(SLAB_BYTES);
    used = 0;
  }
  const piece = slab.subarray(used, used + length);
  used += length;
  return piece;
}
