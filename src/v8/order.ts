// Orders: what a process is told that makes artifacts. They come as an open file without a name, so that nothing is left
// whoever dies.

import { builtin, nodeProcess } from "../platform/node_builtins.ts";
import type { Bytes } from "../engine/calls.ts";
import type { EntryPlace } from "../engine/engine.ts";
import { toHex } from "../disk/key.ts";
import type { Grade } from "./artifact.ts";
import { crypto, fromUtf8, toUtf8 } from "../platform/globals.ts";
import { nodeFiles } from "../platform/node_files.ts";

/** What shall be made. */
export interface Order {
  /** Identity of the process that wants it. */
  readonly id: string;
  /** How good it shall be. */
  readonly grade: Exclude<Grade, "snapshot">;
  /** The code. */
  readonly code: Bytes;
  /** What was executed, for the grade `profile`. */
  readonly profile?: Bytes;
  /** Where the entry goes; absent where the artifact is wanted and no entry. */
  readonly entry?: {
    /** Directory of the cache. */
    readonly directory: string;
    /** The folder in it that is the cache's own. */
    readonly root: string;
    /** The secret, hexadecimal. */
    readonly secret?: string;
    /** Limits of the cache; `null` stands for none. */
    readonly limits: { readonly maxDiskBytes: number | null; readonly maxDiskAgeMs: number | null };
  };
}

/** Tells whether another process can be told the secret of a place; where not, nothing can be made there. */
export function isTellable({ options: { secret } }: EntryPlace): boolean {
  return secret === undefined || secret instanceof Uint8Array;
}

/** Makes an order for an entry. */
export function orderOf(
  { id, grade, code, place }: Pick<Order, "id" | "grade" | "code"> & { place: EntryPlace },
): Order {
  const { directory, root, options: { maxDiskAgeMs, maxDiskBytes, secret } } = place;
  const limits = { maxDiskBytes: finite(maxDiskBytes), maxDiskAgeMs: finite(maxDiskAgeMs) };
  const hex = secret instanceof Uint8Array ? { secret: toHex(secret) } : {};
  return { id, grade, code, entry: { directory, root, limits, ...hex } };
}

/** JSON has no infinity. */
function finite(limit: number): number | null {
  return Number.isFinite(limit) ? limit : null;
}

/**
 * Makes sure that nobody else can put files into a folder.
 *
 * @throws {Error} When somebody can.
 */
export function checkFolder(folder: string): void {
  const exposure = nodeFiles().exposure(folder).sync();
  if (exposure) throw new Error(`Cannot use folder ${folder}: ${exposure}`);
}

/** Opens a file without a name in a folder that is nobody else's. */
export function openNameless(folder: string): number {
  checkFolder(folder);
  const { constants, openSync, unlinkSync } = builtin("node:fs");
  const path = `${folder}/${nodeProcess().pid}-${crypto.randomUUID()}`;
  const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
  unlinkSync(path);
  return descriptor;
}

/** Orders, and where the next begin. */
export interface OrderList {
  /** What shall be made. */
  readonly orders: readonly Order[];
  /** Offset of what follows. */
  readonly end: number;
}

/** Writes orders down from an offset on; gives where the next begin. */
export function writeOrders(descriptor: number, from: number, orders: readonly Order[]): number {
  const heads = orders.map(({ code, profile, ...head }) => ({
    ...head,
    codeLength: code.length,
    profileLength: profile?.length,
  }));
  const head = toUtf8(JSON.stringify(heads));
  const length = new Uint8Array(Uint32Array.of(head.length).buffer);
  let end = from;
  for (const part of [length, head, ...orders.flatMap(({ code, profile }) => profile ? [code, profile] : [code])]) {
    writeWhole(descriptor, end, part);
    end += part.length;
  }
  return end;
}

/** Reads orders from an offset on. */
export function readOrders(descriptor: number, from: number): OrderList {
  let end = from;
  const next = (length: number) => {
    const bytes = readWhole(descriptor, end, length);
    end += length;
    return bytes;
  };
  const headLength = new Uint32Array(next(4).buffer)[0]!;
  const heads = JSON.parse(
    fromUtf8(next(headLength)),
  ) as (Omit<Order, "code" | "profile"> & { codeLength: number; profileLength?: number })[];
  const orders = heads.map(({ codeLength, profileLength, ...head }) => ({
    ...head,
    code: next(codeLength),
    profile: profileLength === undefined ? undefined : next(profileLength),
  }));
  return { orders, end };
}

/** Reads so many bytes from there. */
export function readWhole(descriptor: number, from: number, length: number): Bytes {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const count = builtin("node:fs").readSync(descriptor, bytes, at, length - at, from + at);
    if (count === 0) throw new RangeError("Cannot read order: it ends too early");
    at += count;
  }
  return bytes;
}

/** Writes all bytes there: others have the same descriptor, and move where it stands. */
export function writeWhole(descriptor: number, from: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    at += builtin("node:fs").writeSync(descriptor, bytes, at, bytes.length - at, from + at);
  }
}
