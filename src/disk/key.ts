// Keys of entries: digest of the code, identity of the engine, version of the format; and the paths made from them.
// Pure.

import { toHex } from "../bytes.ts";
import { FORMAT_VERSION } from "./entry.ts";
import { type Operation, perform } from "../effect.ts";
import { toUtf8 } from "../platform/globals.ts";
import type { Bytes, Platform } from "../platform/platform.ts";

/** Length of a SHA-256, bytes. */
export const DIGEST_BYTES = 32;

/** Marks the bytes as a key of this cache, so that no other use of SHA-256 gives the same digest. */
const DOMAIN = toUtf8("wasm-module-cache key");

/**
 * Bytes whose SHA-256 is the key. Their layout is fixed, so that parts cannot run together.
 *
 * @param codeDigest SHA-256 of the code, 32 bytes.
 * @param engineDigest SHA-256 of the engine's id, 32 bytes.
 */
export function keyMaterial(codeDigest: Uint8Array, engineDigest: Uint8Array): Bytes {
  const material = new Uint8Array(DOMAIN.length + 1 + 2 * DIGEST_BYTES);
  material.set(DOMAIN);
  material[DOMAIN.length] = FORMAT_VERSION;
  material.set(engineDigest, DOMAIN.length + 1);
  material.set(codeDigest, DOMAIN.length + 1 + DIGEST_BYTES);
  return material;
}

/** Name of an engine's folder. */
export const FOLDER_NAME = /-[0-9a-f]{16}$/;

/** Name of a folder of entries in an engine's folder. */
export const PREFIX_NAME = /^[0-9a-f]{2}$/;

/** Name of an entry in such a folder. */
export const ENTRY_NAME = /^[0-9a-f]{62}$/;

/**
 * Folder of an engine: readable, and different for different ids, whatever their characters.
 *
 * @param id Id of the engine.
 * @param engineDigest SHA-256 of the id.
 */
export function engineFolder(id: string, engineDigest: Uint8Array): string {
  const readable = id.replace(/[^A-Za-z0-9.-]+/g, "_").slice(0, 48);
  return `${readable}-${toHex(engineDigest).slice(0, 16)}`;
}

/** Path of an entry below the directory's root. */
export function entryPath(folder: string, key: string): string {
  return `${folder}/${key.slice(0, 2)}/${key.slice(2)}`;
}

/** Where an entry is, and what its header must say. */
export interface Address {
  /** Name of the entry, 64 hexadecimal digits. */
  readonly key: string;
  /** Path below the directory's root. */
  readonly path: string;
  /** SHA-256 of the code. */
  readonly codeDigest: Bytes;
  /** The engine's id. */
  readonly id: string;
  /** SHA-256 of it. */
  readonly engineDigest: Bytes;
}

/** Address of the code's entry under an engine's id. */
export function* addressIn(
  platform: Platform,
  id: string,
  codeDigest: Bytes,
  engineDigest?: Bytes,
): Operation<Address> {
  engineDigest ??= yield* idDigest(platform, id);
  const key = toHex(yield* perform(platform.sha256(keyMaterial(codeDigest, engineDigest))));
  return { key, path: entryPath(engineFolder(id, engineDigest), key), codeDigest, id, engineDigest };
}

/** Folder of an engine's entries. */
export function* folderIn(platform: Platform, id: string): Operation<string> {
  return engineFolder(id, yield* idDigest(platform, id));
}

/** SHA-256 of an engine's id. */
export function* idDigest(platform: Platform, id: string): Operation<Bytes> {
  return yield* perform(platform.sha256(toUtf8(id)));
}
