// SHA-256 of the first bytes of a file, of which only a part is held at a time. Knows no entries.

import { immediate, type Operation, perform } from "../effect.ts";
import type { Bytes, OpenFile, Platform } from "../platform/platform.ts";

/** How much is held, bytes: hashed in 0.5 ms, then other work gets its turn. */
const PART_BYTES = 512 * 1024;

/** Memory for the next file. */
let spare: Bytes | undefined;

/** SHA-256 of the first `length` bytes; of fewer if the file ends. */
export function* sha256OfFile(platform: Platform, file: OpenFile, length: number): Operation<Bytes> {
  const hasher = platform.hasher(length);
  if (!hasher) return yield* perform(platform.sha256(yield* file.read(0, length)));
  const room = spare ?? new Uint8Array(PART_BYTES);
  spare = undefined;
  for (let at = 0; at < length;) {
    const part = yield* file.read(at, Math.min(PART_BYTES, length - at), room);
    if (part.length === 0) break;
    hasher.update(part);
    at += part.length;
  }
  spare = room;
  return yield* perform(immediate("sha256", () => hasher.digest()));
}
