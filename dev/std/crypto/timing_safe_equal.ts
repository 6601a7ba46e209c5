/**
 * Stand-in for `@std/crypto/timing-safe-equal` where the JSR registry does not answer, with the name, types and
 * behaviour of the real one. Not published.
 *
 * @module
 */

/**
 * Tells whether two byte ranges are equal, looking at every byte whatever the first ones are.
 *
 * @throws {TypeError} When their lengths differ.
 */
export function timingSafeEqual(a: ArrayBufferView | ArrayBufferLike, b: ArrayBufferView | ArrayBufferLike): boolean {
  if (a.byteLength !== b.byteLength) {
    throw new TypeError(`Cannot compare buffers of different byte lengths (${a.byteLength} vs ${b.byteLength})`);
  }
  const x = bytesOf(a);
  const y = bytesOf(b);
  let difference = 0;
  for (let i = 0; i < x.length; i++) difference |= x[i]! ^ y[i]!;
  return difference === 0;
}

function bytesOf(given: ArrayBufferView | ArrayBufferLike): Uint8Array {
  return ArrayBuffer.isView(given)
    ? new Uint8Array(given.buffer, given.byteOffset, given.byteLength)
    : new Uint8Array(given);
}
