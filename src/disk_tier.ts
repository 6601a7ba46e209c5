// Keeps bytes in the directory: reads and verifies entries, publishes and removes them. Never sees a module.

import { timingSafeEqual } from "@std/crypto/timing-safe-equal";
import { xxh3 } from "./checksum.ts";
import { type Directory, ioFault } from "./directory.ts";
import { type Operation, perform } from "./effect.ts";
import { decodeHeader, encodeHeader, type Header, HEADER_BYTES, SEALED_BYTES, sealOf } from "./entry.ts";
import { CacheError, systemCode } from "./errors.ts";
import type { Bytes, Files, Platform } from "./platform/platform.ts";

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

/** Entries in a directory. */
export class DiskTier {
  readonly #platform: Platform;
  readonly #files: Files;
  readonly #directory: Directory;

  /** Touches nothing yet. */
  constructor(platform: Platform, files: Files, directory: Directory) {
    this.#platform = platform;
    this.#files = files;
    this.#directory = directory;
  }

  /**
   * Reads and verifies an entry. Takes no lock.
   *
   * @param address Which entry.
   * @param copy The code, where the payload must be this very code: only the header is read then.
   * @returns The payload, or what is wrong with the entry, or `undefined` where there is none.
   * @throws {CacheError} `IO` when an entry may be there but cannot be read.
   */
  *read(address: Address, copy?: Bytes): Operation<Bytes | CacheError | undefined> {
    const path = this.#pathOf(address);
    const bodyLength = (head: Bytes, size: number) => {
      const header = decodeHeader(head, size);
      return typeof header === "string" || copy ? 0 : header.payloadLength;
    };
    let parts;
    try {
      parts = yield* perform(this.#files.read(path, HEADER_BYTES, bodyLength));
    } catch (error) {
      if (MISSING.includes(systemCode(error))) return undefined;
      throw ioFault("read entry", path, error);
    }
    const header = decodeHeader(parts.head, parts.size);
    const wrong = typeof header === "string" ? header : (yield* this.#headerFault(header, parts.head, address)) ??
      (yield* this.#payloadFault(header, parts.body, address, copy));
    if (wrong) return new CacheError("CORRUPT", `Cannot use entry ${path}: ${wrong}`, { path });
    return copy ?? parts.body;
  }

  /**
   * Writes an entry: a new file, then a rename over whatever stands there. Never changes a published file.
   *
   * @param options `isCode`: the payload is the code itself, so that its digest is known.
   * @throws {CacheError} `IO` when it cannot; nothing is left behind then.
   */
  *publish(address: Address, payload: Bytes, { isCode }: { isCode: boolean }): Operation<void> {
    const path = this.#pathOf(address);
    const temporary = `${this.#directory.temporary}/${this.#files.temporaryName()}`;
    const header = yield* this.#seal({
      codeDigest: address.codeDigest,
      engineDigest: address.engineDigest,
      payloadLength: payload.length,
      payloadSha256: isCode ? address.codeDigest : yield* perform(this.#platform.sha256(payload)),
      payloadXxh3: isCode ? undefined : yield* perform(xxh3(payload)),
    });
    try {
      yield* this.#directory.within(this.#files.create(temporary, [header, payload]));
      yield* perform(this.#files.makeDirectory(path.slice(0, path.lastIndexOf("/"))));
      yield* perform(this.#files.rename(temporary, path));
    } catch (error) {
      yield* this.#discard(temporary);
      throw ioFault("write entry", path, error);
    }
  }

  /** Removes an entry; tells whether it was there. */
  *remove(path: string): Operation<boolean> {
    return yield* this.#remove(`${this.#directory.root}/${path}`);
  }

  /** Removes every entry of an engine's folder, and nothing else that is in it. */
  *clear(folder: string): Operation<void> {
    for (const prefix of yield* this.#list(`${this.#directory.root}/${folder}`, /^[0-9a-f]{2}$/)) {
      const directory = `${this.#directory.root}/${folder}/${prefix}`;
      for (const name of yield* this.#list(directory, /^[0-9a-f]{62}$/)) yield* this.#remove(`${directory}/${name}`);
    }
  }

  #pathOf(address: Address): string {
    return `${this.#directory.root}/${address.path}`;
  }

  *#headerFault(header: Header, head: Bytes, address: Address): Operation<string | undefined> {
    const seal = yield* perform(this.#platform.sha256(head.slice(0, SEALED_BYTES)));
    if (!timingSafeEqual(seal, sealOf(head))) return "its header is damaged";
    if (!timingSafeEqual(header.codeDigest, address.codeDigest)) return "it belongs to another code";
    if (!timingSafeEqual(header.engineDigest, address.engineDigest)) return "it belongs to another engine";
  }

  *#payloadFault(header: Header, body: Bytes, address: Address, copy?: Bytes): Operation<string | undefined> {
    const damaged = "its payload is damaged";
    if (copy) return timingSafeEqual(header.payloadSha256, address.codeDigest) ? undefined : damaged;
    if (body.length !== header.payloadLength) return "it ends too early";
    const fast = header.payloadXxh3 && (yield* perform(xxh3(body)));
    if (fast) return timingSafeEqual(fast, header.payloadXxh3!) ? undefined : damaged;
    return timingSafeEqual(yield* perform(this.#platform.sha256(body)), header.payloadSha256) ? undefined : damaged;
  }

  *#seal(header: Header): Operation<Bytes> {
    const bytes = new Uint8Array(HEADER_BYTES);
    const sealed = encodeHeader(header);
    bytes.set(sealed);
    bytes.set(yield* perform(this.#platform.sha256(sealed)), SEALED_BYTES);
    return bytes;
  }

  *#remove(path: string): Operation<boolean> {
    try {
      yield* perform(this.#files.remove(path));
      return true;
    } catch (error) {
      if (MISSING.includes(systemCode(error))) return false;
      throw ioFault("remove entry", path, error);
    }
  }

  /** Removes what a failed write left; the failure itself is what gets reported. */
  *#discard(path: string): Operation<void> {
    try {
      yield* this.#remove(path);
    } catch (error) {
      if (!(error instanceof CacheError)) throw error;
    }
  }

  *#list(path: string, names: RegExp): Operation<string[]> {
    try {
      return (yield* perform(this.#files.list(path))).filter((name) => names.test(name));
    } catch (error) {
      if (MISSING.includes(systemCode(error))) return [];
      throw ioFault("list", path, error);
    }
  }
}

/** No such file: nothing there, or a file where a directory would be. */
const MISSING = ["ENOENT", "ENOTDIR"];
