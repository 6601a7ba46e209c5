// Keeps bytes in the directory: reads and verifies entries, publishes and removes them. Never sees a module.

import { timingSafeEqual } from "@std/crypto/timing-safe-equal";
import { xxh3 } from "./checksum.ts";
import { type Directory, ioFault, isForeign, isMissing } from "./directory.ts";
import { forEach, type Operation, perform } from "./effect.ts";
import { decodeHeader, encodeHeader, type Header, HEADER_BYTES, MAC_BYTES, SEALED_BYTES, sealOf } from "./entry.ts";
import { CacheError, systemCode } from "./errors.ts";
import type { Housekeeping, Written } from "./housekeeping.ts";
import { ENTRY_NAME, PREFIX_NAME } from "./key.ts";
import type { Bytes, Files, Platform } from "./platform/platform.ts";
import { HOUR_MS } from "./prune.ts";

/** Where an entry is, and what its header must say. */
export interface Address {
  /** Name of the entry, 64 hexadecimal digits. */
  readonly key: string;
  /** Path below the directory's root. */
  readonly path: string;
  /** SHA-256 of the code. */
  readonly codeDigest: Bytes;
  /** SHA-256 of the engine's id. */
  readonly engineDigest: Bytes;
}

/** What the disk tier is made of. */
export interface DiskTierParts {
  /** What the runtime offers. */
  readonly platform: Platform;
  /** Its files. */
  readonly files: Files;
  /** Where entries are. */
  readonly directory: Directory;
  /** Makes room. */
  readonly housekeeping: Housekeeping;
  /** Signs entries. */
  readonly secret?: Bytes | CryptoKey;
  /** Payloads are machine code: the faster checksum, which finds damage but not intent, is not enough. */
  readonly isNative?: boolean;
}

/** How an entry is read. */
export interface ReadOptions {
  /** The code, where the payload must be this very code: only the header is read then. */
  readonly copy?: Bytes;
  /** The payload must be the code itself. */
  readonly isCode?: boolean;
}

/** Entries in a directory. */
export class DiskTier {
  readonly #parts: DiskTierParts;

  /** Touches nothing yet. */
  constructor(parts: DiskTierParts) {
    this.#parts = parts;
  }

  /**
   * Reads and verifies an entry, and notes that it was used. Takes no lock.
   *
   * @param address Which entry.
   * @param options What the payload must be.
   * @returns The payload, or what is wrong with the entry, or `undefined` where there is none.
   * @throws {CacheError} `IO` when an entry may be there but cannot be read.
   * @throws {CannotWait} In a synchronous run that would have to check an HMAC by a `CryptoKey`.
   */
  *read(address: Address, { copy, isCode = false }: ReadOptions = {}): Operation<Bytes | CacheError | undefined> {
    const path = this.#pathOf(address);
    const { files, secret } = this.#parts;
    const macLength = secret ? MAC_BYTES : 0;
    const bodyLength = (head: Bytes, size: number) => {
      const header = decodeHeader(head, size);
      if (typeof header === "string" || copy) return 0;
      // Without the secret the HMAC comes with the body; with it, only a signed entry is worth reading.
      return secret && !header.isSigned ? 0 : size - HEADER_BYTES - macLength;
    };
    let parts;
    try {
      parts = yield* perform(files.read(path, HEADER_BYTES + macLength, bodyLength));
    } catch (error) {
      if (isMissing(error)) return undefined;
      if (isForeign(error)) return corrupt(path, `it is no file: ${systemCode(error)}`);
      throw ioFault("read entry", path, error);
    }
    const header = decodeHeader(parts.head, parts.size);
    if (typeof header === "string") return corrupt(path, header);
    const payload = header.isSigned && !secret ? parts.body.slice(MAC_BYTES) : parts.body;
    const wrong = (yield* this.#headerFault(header, parts.head, address)) ??
      (copy || isCode ? codeFault(header) : undefined) ??
      (copy ? undefined : yield* this.#payloadFault(header, payload, isCode));
    if (wrong) return corrupt(path, wrong);
    yield* this.#noteUse(path, parts.modifiedMs);
    return copy ?? payload;
  }

  /**
   * Writes an entry: a new file, then a rename over whatever stands there. Never changes a published file.
   *
   * @param options `isCode`: the payload must be the code itself.
   * @returns Whether it was written, and a fault of making room for it that did not hinder that.
   * @throws {CacheError} `IO` when it cannot, `LIMIT` when there is no room for it, `CORRUPT` when the payload is not the
   * code that it must be; nothing is left behind then.
   */
  *publish(address: Address, payload: Bytes, { isCode }: { isCode: boolean }): Operation<Written> {
    const { directory, housekeeping, platform, secret, isNative } = this.#parts;
    const path = this.#pathOf(address);
    // Of these very bytes, whatever was computed before: an entry that says of others what they are gives a wrong module.
    const payloadSha256 = yield* perform(platform.sha256(payload));
    if (isCode && !timingSafeEqual(payloadSha256, address.codeDigest)) {
      throw new CacheError("CORRUPT", `Cannot write entry ${path}: its payload is not the code`, { path });
    }
    const head = yield* this.#seal({
      codeDigest: address.codeDigest,
      engineDigest: address.engineDigest,
      payloadLength: payload.length,
      payloadSha256,
      payloadXxh3: isCode || secret || isNative ? undefined : yield* perform(xxh3(payload)),
      isSigned: secret !== undefined,
    });
    return yield* housekeeping.writeWithin(head.length + payload.length, function* () {
      try {
        yield* directory.replace(path, [head, payload]);
      } catch (error) {
        throw ioFault("write entry", path, error);
      }
    });
  }

  /** Removes an entry; tells whether it was there. */
  *remove(path: string): Operation<boolean> {
    return yield* this.#remove(`${this.#parts.directory.root}/${path}`);
  }

  /** Removes every entry of an engine's folder, and nothing else that is in it. */
  *clear(folder: string): Operation<void> {
    const path = `${this.#parts.directory.root}/${folder}`;
    for (const prefix of yield* this.#list(path, PREFIX_NAME)) {
      const remove = this.#remove.bind(this);
      yield* forEach(yield* this.#list(`${path}/${prefix}`, ENTRY_NAME), function* (name) {
        yield* remove(`${path}/${prefix}/${name}`);
      });
    }
  }

  #pathOf(address: Address): string {
    return `${this.#parts.directory.root}/${address.path}`;
  }

  *#headerFault(header: Header, head: Bytes, address: Address): Operation<string | undefined> {
    const { platform, secret } = this.#parts;
    const seal = yield* perform(platform.sha256(head.slice(0, SEALED_BYTES)));
    if (!timingSafeEqual(seal, sealOf(head))) return "its header is damaged";
    if (!timingSafeEqual(header.codeDigest, address.codeDigest)) return "it belongs to another code";
    if (!timingSafeEqual(header.engineDigest, address.engineDigest)) return "it belongs to another engine";
    if (!secret) return undefined;
    if (!header.isSigned) return "it is not signed";
    const mac = yield* perform(platform.hmacSha256(secret, head.slice(0, HEADER_BYTES)));
    if (!timingSafeEqual(mac, head.subarray(HEADER_BYTES))) return "it was signed with another secret";
  }

  /** @param mustHash The faster checksum is not enough: whoever forged the entry could have made that one right. */
  *#payloadFault(header: Header, body: Bytes, mustHash: boolean): Operation<string | undefined> {
    const { platform, secret, isNative } = this.#parts;
    if (body.length !== header.payloadLength) return "it ends too early";
    const fast = header.payloadXxh3 && !secret && !isNative && !mustHash ? yield* perform(xxh3(body)) : undefined;
    if (fast) return timingSafeEqual(fast, header.payloadXxh3!) ? undefined : DAMAGED;
    return timingSafeEqual(yield* perform(platform.sha256(body)), header.payloadSha256) ? undefined : DAMAGED;
  }

  *#seal(header: Header): Operation<Bytes> {
    const { platform, secret } = this.#parts;
    const sealed = encodeHeader(header);
    const seal = yield* perform(platform.sha256(sealed));
    const head = join(sealed, seal);
    return secret ? join(head, yield* perform(platform.hmacSha256(secret, head))) : head;
  }

  /** The entries that were used least recently go first: their times tell, to the hour. */
  *#noteUse(path: string, modifiedMs: number): Operation<void> {
    const { directory, files, platform } = this.#parts;
    const nowMs = platform.now();
    if (Math.abs(nowMs - modifiedMs) <= HOUR_MS || directory.mustNotWrite) return;
    try {
      yield* perform(files.touch(path, nowMs));
    } catch {
      // Whatever it is: the entry may go earlier than it should, and is made again then.
    }
  }

  *#remove(path: string): Operation<boolean> {
    try {
      yield* perform(this.#parts.files.remove(path));
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw ioFault("remove entry", path, error);
    }
  }

  *#list(path: string, names: RegExp): Operation<string[]> {
    try {
      return (yield* perform(this.#parts.files.list(path))).filter((name) => names.test(name));
    } catch (error) {
      if (isMissing(error)) return [];
      throw ioFault("list", path, error);
    }
  }
}

const DAMAGED = "its payload is damaged";

/** What is wrong with an entry whose payload must be its code. */
function codeFault({ codeDigest, payloadSha256 }: Header): string | undefined {
  return timingSafeEqual(payloadSha256, codeDigest) ? undefined : DAMAGED;
}

function corrupt(path: string, wrong: string): CacheError {
  return new CacheError("CORRUPT", `Cannot use entry ${path}: ${wrong}`, { path });
}

function join(a: Bytes, b: Bytes): Bytes {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}
