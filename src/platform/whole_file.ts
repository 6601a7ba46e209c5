// Reading and creating whole files, written once over the few calls that every runtime's open files have.

import { compose, type Effect, type Operation, perform } from "../effect.ts";
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

/** The two ways in which files are opened. */
export interface Opener {
  /** Opens a file for reading. */
  open(path: string): Effect<Handle>;
  /** Creates a file that must not exist yet, for writing, with mode 0600. */
  create(path: string): Effect<Handle>;
}

/** The whole-file effects of a platform. */
export function wholeFiles(opener: Opener): Pick<Files, "read" | "create"> {
  return {
    read: (path, headLength, bodyLength) =>
      compose("read", () => using(opener.open(path), (handle) => readParts(handle, headLength, bodyLength))),
    create: (path, parts) => compose("create", () => using(opener.create(path), (handle) => writeParts(handle, parts))),
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
  return { head, body: yield* fill(handle, bodyLength(head, size)) };
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
