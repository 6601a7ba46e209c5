// What follows the payload of an entry: id, signature and header, computed from the bytes that are stored or sent.

import { join } from "../bytes.ts";
import { type Operation, perform } from "../effect.ts";
import { CacheError } from "../errors.ts";
import { toUtf8 } from "../platform/globals.ts";
import type { Bytes, Platform } from "../platform/platform.ts";
import { xxh3 } from "./checksum.ts";
import { encodeHeader } from "./entry.ts";
import type { Address } from "./key.ts";

/** How the entries of a cache are sealed. */
export interface Sealing {
  /** What the runtime offers. */
  readonly platform: Platform;
  /** Signs entries. */
  readonly secret?: Bytes | CryptoKey;
  /** Payloads are machine code: the faster checksum, which finds damage but not malice, is not enough. */
  readonly isNative?: boolean;
}

/** What a header says of its payload. */
export interface Facts {
  /** The payload must be the code itself. */
  readonly isCode: boolean;
  /** What the compile took, ms; 0 if that is not known. */
  readonly compileMs: number;
}

/**
 * Makes the end of an entry.
 *
 * @throws {CacheError} `CORRUPT` when the payload is not the code that it must be.
 * @throws {CannotWait} In a synchronous run that would have to sign by a `CryptoKey`.
 */
export function* seal(
  { platform, secret, isNative }: Sealing,
  { codeDigest, engineDigest, id, path }: Address,
  payload: Bytes,
  { isCode, compileMs }: Facts,
): Operation<Bytes> {
  // Computed from the bytes that are written, whatever was computed before: an entry with other bytes' digest would
  // give a wrong module.
  const payloadSha256 = yield* perform(platform.sha256(payload));
  if (isCode && !platform.equal(payloadSha256, codeDigest)) {
    throw new CacheError("CORRUPT", `Cannot write entry ${path}: its payload is not the code`, { path });
  }
  const idBytes = toUtf8(id);
  const sealed = encodeHeader({
    codeDigest,
    engineDigest,
    payloadLength: payload.length,
    payloadSha256,
    payloadXxh3: isCode || secret || isNative ? undefined : yield* perform(xxh3(payload)),
    idLength: idBytes.length,
    compileMs,
    isSigned: secret !== undefined,
  });
  const head = join(sealed, yield* perform(platform.sha256(sealed)));
  return secret ? join(idBytes, yield* perform(platform.hmacSha256(secret, head)), head) : join(idBytes, head);
}
