// The platform port: files, locks, clock, ids, hashing. Types only; what differs between runtimes is behind it.

import type { Effect } from "../effect.ts";

/** Bytes that no one else can resize or share. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** What a runtime offers. */
export interface Platform {
  /** Name of the runtime. */
  readonly name: "deno" | "bun" | "node" | "web" | "memory";
  /** Files and locks; absent where the runtime has none (browsers, edge). */
  readonly files?: Files;
  /** Time since some fixed moment, in ms; never goes back. */
  clock(): number;
  /** Waits `delayMs`; gives `false`, at once, in a synchronous run, which must not wait. */
  pause(delayMs: number): Effect<boolean>;
  /** SHA-256 of the bytes, 32 bytes. */
  sha256(bytes: Bytes): Effect<Bytes>;
  /** Tells whether two equally long byte ranges are the same, at the speed of memory where the runtime can. */
  equal(a: Uint8Array, b: Uint8Array): boolean;
}

/** What the program may do in a directory, found without a prompt and without touching the disk. */
export interface Access {
  /** Reading is not forbidden. */
  readonly read: boolean;
  /** Writing is not forbidden. */
  readonly write: boolean;
}

/** Start of a file, and as much of the rest as was asked for. */
export interface FileParts {
  /** The first bytes, fewer where the file is shorter. */
  readonly head: Bytes;
  /** What follows the head; shorter than asked for where the file ended. */
  readonly body: Bytes;
  /** Length of the file, bytes. */
  readonly size: number;
}

/** A held lock; what is in it is the platform's own business. */
export interface Lock {
  /** Gives the lock up. */
  release(): void;
}

/**
 * Files and locks. Every effect fails with the runtime's own error; {@linkcode systemCode} names it.
 * Directories are made with mode 0700 and files with 0600.
 */
export interface Files {
  /** Absolute path of a directory, its parts separated by `/` on every system. */
  resolve(directory: string | URL): string;
  /** Permissions for what is below `path`. */
  access(path: string): Access;
  /** A file name that no other process or call makes. */
  temporaryName(): string;
  /**
   * Reads a regular file through one descriptor, so that a rename in between cannot mix two files.
   *
   * @param headLength How many bytes the head has.
   * @param bodyLength Tells from the head and the file's size how many bytes of the rest to take.
   */
  read(path: string, headLength: number, bodyLength: (head: Bytes, size: number) => number): Effect<FileParts>;
  /** Creates a file that must not exist yet, with the parts one after another. */
  create(path: string, parts: readonly Uint8Array[]): Effect<void>;
  /** Renames a file, over another one where there is one. */
  rename(from: string, to: string): Effect<void>;
  /** Removes a file. */
  remove(path: string): Effect<void>;
  /** Makes a directory and those above it; one that is there already is fine. */
  makeDirectory(path: string): Effect<void>;
  /** Names in a directory. */
  list(path: string): Effect<string[]>;
  /**
   * Takes the advisory lock of a file, made where it is missing, without waiting. The system gives it back when the
   * process dies. Absent where the runtime has no such lock.
   *
   * @returns `undefined` while someone else holds it.
   */
  tryLock?(path: string): Effect<Lock | undefined>;
}
