// Steps made of several calls, written once over the few calls that every runtime has: whole files, and directories with
// those above them.

import { compose, type Effect, type Operation, perform } from "../effect.ts";
import { systemCode } from "../errors.ts";
import type { Bytes, FileParts, Files } from "./platform.ts";

/** An open file. */
export interface Handle {
  /** Length of the file, bytes. */
  readonly size: Effect<number>;
  /** Gives the file back to the system. */
  readonly close: Effect<void>;
  /** Reads on into a buffer; gives how many bytes it read, 0 or less at the end. */
  read(into: Bytes): Effect<number>;
  /** Writes on; gives how many of the bytes it wrote. */
  write(bytes: Uint8Array): Effect<number>;
}

/** The calls that a runtime has to bring. */
export interface Calls {
  /** Opens a file for reading. */
  open(path: string): Effect<Handle>;
  /** Creates a file that must not exist yet, for writing, with mode 0600. */
  create(path: string): Effect<Handle>;
  /** Makes one directory, with mode 0700. */
  mkdir(path: string): Effect<void>;
}

/** The composed effects of a platform. */
export function composed(calls: Calls): Pick<Files, "read" | "create" | "makeDirectory"> {
  return {
    read: (path, headLength, bodyLength) =>
      compose("read", () => using(calls.open(path), (handle) => readParts(handle, headLength, bodyLength))),
    create: (path, parts) => compose("create", () => using(calls.create(path), (handle) => writeParts(handle, parts))),
    makeDirectory: (path) => compose("makeDirectory", () => makeTree(calls, path)),
  };
}

function* using<T>(opening: Effect<Handle>, body: (handle: Handle) => Operation<T>): Operation<T> {
  const handle = yield* perform(opening);
  try {
    return yield* body(handle);
  } finally {
    yield* perform(handle.close);
  }
}

function* readParts(
  handle: Handle,
  headLength: number,
  bodyLength: (head: Bytes, size: number) => number,
): Operation<FileParts> {
  const size = yield* perform(handle.size);
  const head = yield* fill(handle, headLength);
  return { head, body: yield* fill(handle, bodyLength(head, size)), size };
}

function* fill(handle: Handle, length: number): Operation<Bytes> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const count = yield* perform(handle.read(bytes.subarray(filled)));
    if (count <= 0) return bytes.slice(0, filled);
    filled += count;
  }
  return bytes;
}

function* writeParts(handle: Handle, parts: readonly Uint8Array[]): Operation<void> {
  for (const part of parts) {
    let written = 0;
    while (written < part.length) written += yield* perform(handle.write(part.subarray(written)));
  }
}

/**
 * Makes a directory and those above it. Not by the runtimes' own recursive call: where the system says ENOENT although
 * the parent is there, as below /proc, Node's never ends (seen on 22, 24 and 26).
 */
function* makeTree(calls: Calls, path: string): Operation<void> {
  if (yield* made(calls, path)) return;
  const end = path.lastIndexOf("/");
  if (end > 0) yield* makeTree(calls, path.slice(0, end));
  if (!(yield* made(calls, path))) yield* perform(calls.mkdir(path));
}

/** Makes one directory; gives `false` where it has no parent. */
function* made(calls: Calls, path: string): Operation<boolean> {
  try {
    yield* perform(calls.mkdir(path));
    return true;
  } catch (error) {
    const code = systemCode(error);
    if (code === "EEXIST") return true;
    if (code !== "ENOENT") throw error;
    return false;
  }
}
