// Checks entries in open files: everything that their headers promise, before anybody sees a byte of the payload.

import { timingSafeEqual } from "@std/crypto/timing-safe-equal";
import { immediate, type Operation, perform } from "../effect.ts";
import { CacheError } from "../errors.ts";
import { fromUtf8, toUtf8 } from "../platform/globals.ts";
import type { Bytes, OpenFile } from "../platform/platform.ts";
import { xxh3 } from "./checksum.ts";
import { untrusted } from "./directory.ts";
import { decodeHeader, endBytes, type Header, HEADER_BYTES, MAC_BYTES, SEALED_BYTES, sealOf } from "./entry.ts";
import { sha256OfFile } from "./file_digest.ts";
import { type Address, addressIn, entryPath } from "./key.ts";
import type { Sealing } from "./seal.ts";

/** Long enough for header and id of most entries, bytes. */
const USUAL_END = 1024;

/** Longest that is read to describe an entry, bytes. */
const MAX_END = 1024 * 1024;

/** Parts of the checks. */
export interface EntryChecksParts extends Sealing {
  /** Most bytes of an entry. */
  readonly maxBytes: number;
}

/** What the payload of an entry must be. */
export interface Source {
  /** The code, if the payload must be this code: then only the header is read. */
  readonly copy?: Bytes;
  /** The payload must be the code itself. */
  readonly isCode?: boolean;
  /** Called with the header that was checked, and how many bytes of the file were read. */
  readonly onRead?: (header: Header, bytes: number) => void;
}

/** The checks of a cache. Each throws a {@linkcode CacheError}: `CORRUPT`, which says what is wrong, or `UNTRUSTED`. */
export class EntryChecks {
  readonly #parts: EntryChecksParts;

  /** Looks at nothing yet. */
  constructor(parts: EntryChecksParts) {
    this.#parts = parts;
  }

  /** Reads and checks the payload; where it must be a copy, only its header. */
  *payload(
    path: string,
    file: OpenFile,
    address: Address,
    { copy, isCode = false, onRead }: Source,
  ): Operation<Bytes> {
    const header = yield* this.#head(path, file, address);
    if (copy || isCode) checkCode(path, header);
    onRead?.(header, copy ? HEADER_BYTES : file.size);
    if (copy) return copy;
    this.#checkSize(path, file);
    const payload = yield* file.read(0, header.payloadLength);
    const wrong = yield* this.#payloadFault(header, payload, isCode);
    if (wrong) throw corrupt(path, wrong);
    return payload;
  }

  /** Checks the payload, and holds only a part of it at a time. */
  *inPlace(path: string, file: OpenFile, address: Address): Operation<Header> {
    const header = yield* this.#head(path, file, address);
    this.#checkSize(path, file);
    const digest = yield* sha256OfFile(this.#parts.platform, file, header.payloadLength);
    if (!timingSafeEqual(digest, header.payloadSha256)) throw corrupt(path, DAMAGED);
    return header;
  }

  /**
   * Reads what an entry says of itself, and checks nothing of it.
   *
   * @returns The header and the engine's id, or a text that says why there is none.
   */
  *described(file: OpenFile): Operation<{ header: Header; id: string } | string> {
    const end = yield* file.read(Math.max(0, file.size - USUAL_END), Math.min(file.size, USUAL_END));
    const header = decodeHeader(end.slice(-HEADER_BYTES), file.size);
    if (typeof header === "string") return header;
    const length = endBytes(header.idLength, header.isSigned);
    // Whoever wrote that wants memory.
    if (length > MAX_END) return "the id of its engine is too long";
    const whole = length <= end.length ? end : yield* file.read(file.size - length, length);
    return { header, id: fromUtf8(whole.slice(whole.length - length, whole.length - length + header.idLength)) };
  }

  /**
   * Checks an entry of any engine by what it says of itself.
   *
   * @param folder Its engine's folder.
   * @param key Its key.
   * @returns What it says of itself, which is true then.
   */
  *whole(path: string, file: OpenFile, folder: string, key: string): Operation<Address> {
    const found = yield* this.described(file);
    if (typeof found === "string") throw corrupt(path, found);
    const { header, id } = found;
    const address = yield* addressIn(this.#parts.platform, id, header.codeDigest.slice());
    if (address.path !== entryPath(folder, key)) throw corrupt(path, "it stands in the place of another");
    yield* this.inPlace(path, file, address);
    return address;
  }

  /** What is wrong with an entry as far as its header and its signature tell; `undefined` if nothing is. */
  *fault(path: string, file: OpenFile, address: Address): Operation<string | undefined> {
    try {
      yield* this.#head(path, file, address);
    } catch (error) {
      if (!(error instanceof CacheError)) throw error;
      return error.message;
    }
  }

  /** Checks everything that can be checked without the payload. */
  *#head(path: string, file: OpenFile, address: Address): Operation<Header> {
    const { isNative, platform } = this.#parts;
    const exposure = isNative ? file.exposure() : undefined;
    if (exposure) throw untrusted(path, exposure);
    const id = toUtf8(address.id);
    const length = endBytes(id.length, true);
    const end = yield* file.read(Math.max(0, file.size - length), length);
    const head = end.slice(-HEADER_BYTES);
    const header = decodeHeader(head, file.size);
    if (typeof header === "string") throw corrupt(path, header);
    const wrong = yield* this.#headerFault(
      header,
      head,
      end.subarray(-HEADER_BYTES - MAC_BYTES, -HEADER_BYTES),
      address,
    );
    if (wrong) throw corrupt(path, wrong);
    // That it is this id, the header says; not that it is what stands there.
    const at = end.length - endBytes(id.length, header.isSigned);
    if (!platform.equal(end.subarray(at, at + id.length), id)) throw corrupt(path, "its engine's id is damaged");
    return header;
  }

  *#headerFault(header: Header, head: Bytes, mac: Bytes, address: Address): Operation<string | undefined> {
    const { platform, secret } = this.#parts;
    const seal = yield* perform(platform.sha256(head.slice(0, SEALED_BYTES)));
    if (!timingSafeEqual(seal, sealOf(head))) return "its header is damaged";
    if (!timingSafeEqual(header.codeDigest, address.codeDigest)) return "it belongs to another code";
    if (!timingSafeEqual(header.engineDigest, address.engineDigest)) return "it belongs to another engine";
    if (!secret) return undefined;
    if (!header.isSigned) return "it is not signed";
    const right = yield* perform(platform.hmacSha256(secret, head));
    if (!timingSafeEqual(right, mac)) return "it was signed with another secret";
  }

  #checkSize(path: string, file: OpenFile): void {
    if (file.size > this.#parts.maxBytes) throw corrupt(path, "it is larger than maxDiskBytes");
  }

  /** @param mustHash Whether the faster checksum is not enough: whoever forged the entry could have made it match. */
  *#payloadFault(header: Header, body: Bytes, mustHash: boolean): Operation<string | undefined> {
    const { platform, secret, isNative } = this.#parts;
    if (body.length !== header.payloadLength) return "it ends too early";
    const fast = header.payloadXxh3 && !secret && !isNative && !mustHash ? yield* perform(xxh3(body)) : undefined;
    if (fast) return timingSafeEqual(fast, header.payloadXxh3!) ? undefined : DAMAGED;
    return timingSafeEqual(yield* perform(platform.sha256(body)), header.payloadSha256) ? undefined : DAMAGED;
  }
}

const DAMAGED = "its payload is damaged";

/** Checks that the payload of an entry is its code. */
function checkCode(path: string, { codeDigest, payloadSha256 }: Header): void {
  if (!timingSafeEqual(payloadSha256, codeDigest)) throw corrupt(path, DAMAGED);
}

/** An entry that is no file: a copy that nobody changes. */
export function inMemory(entry: Bytes): OpenFile {
  return {
    size: entry.length,
    modifiedMs: 0,
    changedMs: 0,
    read: (offset, length) => perform(immediate("read", () => entry.subarray(offset, offset + length))),
    *at(use) {
      return yield* use(undefined);
    },
    exposure: () => undefined,
  };
}

/** An entry that is not what was written. */
export function corrupt(path: string, wrong: string): CacheError {
  return new CacheError("CORRUPT", `Cannot use entry ${path}: ${wrong}`, { path });
}
