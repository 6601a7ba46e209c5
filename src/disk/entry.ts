// On-disk format of an entry, version 3: the payload, so that engines can map the file; the engine's id in UTF-8; in a
// signed entry HMAC-SHA-256 of what follows, 32 bytes; the header. Pure: bytes to header and back. Offsets in the
// header, which ends the file:
//
//   0  magic, 8 bytes             24  SHA-256 of the code             120  XXH3-128 of the payload, or zeros
//   8  format version, u32        56  SHA-256 of the engine's id      136  length of the engine's id, u32
//  12  flags, u32                 88  SHA-256 of the payload          140  what the compile took, ms, f32
//  16  payload length, u64                                            144  SHA-256 of the bytes before it, the seal
//                                                                     176  end
//
// Numbers are little-endian. Seal and HMAC cover the header and, through the digests in it, payload and id: a header
// can be trusted without reading the rest. The payload is checked by whichever of its two digests costs less; under an
// HMAC by SHA-256 alone, because XXH3 finds damage, not malice.

import { toUtf8 } from "../platform/globals.ts";
import type { Bytes } from "../platform/platform.ts";

/** Version of the format; part of every key. */
export const FORMAT_VERSION = 3;

/** Length of a header, bytes. */
export const HEADER_BYTES = 176;

/** Length of the part of a header that the seal covers, bytes. */
export const SEALED_BYTES = 144;

const MAGIC = toUtf8("WASM-MC\n");
const FLAG_XXH3 = 1;
const FLAG_SIGNED = 2;

/** Length of the HMAC of a signed entry, bytes. */
export const MAC_BYTES = 32;

/** Fields of a header. */
export interface Header {
  /** SHA-256 of the code that the artifact was made from. */
  readonly codeDigest: Uint8Array;
  /** SHA-256 of the engine's id. */
  readonly engineDigest: Uint8Array;
  /** Length of the payload, bytes. */
  readonly payloadLength: number;
  /** SHA-256 of the payload. */
  readonly payloadSha256: Uint8Array;
  /** XXH3-128 of the payload, if the writer computed it. */
  readonly payloadXxh3?: Uint8Array;
  /** Length of the engine's id, bytes of UTF-8. */
  readonly idLength: number;
  /** What the compile took, ms; 0 if that is not known. */
  readonly compileMs: number;
  /** Whether there is an HMAC. */
  readonly isSigned: boolean;
}

/** Encodes a header without its seal. */
export function encodeHeader(header: Header): Bytes {
  const bytes = new Uint8Array(SEALED_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint32(8, FORMAT_VERSION, true);
  view.setUint32(12, (header.payloadXxh3 ? FLAG_XXH3 : 0) | (header.isSigned ? FLAG_SIGNED : 0), true);
  view.setBigUint64(16, BigInt(header.payloadLength), true);
  bytes.set(header.codeDigest, 24);
  bytes.set(header.engineDigest, 56);
  bytes.set(header.payloadSha256, 88);
  if (header.payloadXxh3) bytes.set(header.payloadXxh3, 120);
  view.setUint32(136, header.idLength, true);
  view.setFloat32(140, header.compileMs, true);
  return bytes;
}

/**
 * Decodes a header without trusting it: the caller checks the seal.
 *
 * @param bytes End of the file.
 * @param size Length of the file, bytes.
 * @returns The header, or a text that says what is wrong with it.
 */
export function decodeHeader(bytes: Bytes, size: number): Header | string {
  if (bytes.length < HEADER_BYTES) return "it is shorter than a header";
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) return "it does not end as an entry does";
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (view.getUint32(8, true) !== FORMAT_VERSION) return "its format version is another";
  const flags = view.getUint32(12, true);
  if (flags & ~(FLAG_XXH3 | FLAG_SIGNED)) return "it has flags of another version";
  const payloadLength = Number(view.getBigUint64(16, true));
  const isSigned = (flags & FLAG_SIGNED) !== 0;
  const idLength = view.getUint32(136, true);
  if (payloadLength !== size - endBytes(idLength, isSigned)) {
    return "its length is not the one it was written with";
  }
  return {
    codeDigest: bytes.subarray(24, 56),
    engineDigest: bytes.subarray(56, 88),
    payloadLength,
    idLength,
    compileMs: timeOf(view.getFloat32(140, true)),
    isSigned,
    payloadSha256: bytes.subarray(88, 120),
    ...(flags & FLAG_XXH3 ? { payloadXxh3: bytes.subarray(120, 136) } : {}),
  };
}

/** A forger may have written any number. */
function timeOf(ms: number): number {
  return ms >= 0 && ms < Infinity ? ms : 0;
}

/** Length of what follows the payload, bytes. */
export function endBytes(idLength: number, isSigned: boolean): number {
  return idLength + (isSigned ? MAC_BYTES : 0) + HEADER_BYTES;
}

/** The seal of a header. */
export function sealOf(bytes: Bytes): Bytes {
  return bytes.subarray(SEALED_BYTES, HEADER_BYTES);
}
