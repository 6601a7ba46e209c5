// The platform port: files, locks, clock, ids, hashing. Types only: everything that differs between runtimes is behind
// it.

import type { Effect, Operation } from "../effect.ts";

/** Bytes that no one else can resize or share. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** What a runtime offers. */
export interface Platform {
  /** Name of the runtime. */
  readonly name: "deno" | "bun" | "node" | "web" | "memory";
  /** Files and locks; absent where the runtime has none (browsers, edge). */
  readonly files?: Files;
  /** Finds a channel of `node:diagnostics_channel`; absent where that is not there, or costs too much to load. */
  channel?(name: string): Channel;
  /** Time since some fixed moment, in ms; never goes back. */
  clock(): number;
  /** Waits `delayMs`; gives `false`, at once, in a synchronous run, which must not wait. */
  pause(delayMs: number): Effect<boolean>;
  /** The time of day, ms since 1970, as the times of files have it. */
  now(): number;
  /** SHA-256 of the bytes, 32 bytes. */
  sha256(bytes: Bytes): Effect<Bytes>;
  /**
   * SHA-256 of bytes that arrive one after another.
   *
   * @param length How many bytes will come, if that is known.
   * @returns `undefined` where the runtime cannot, or where that would take longer than to hash the whole.
   */
  hasher(length?: number): Hasher | undefined;
  /**
   * HMAC-SHA-256 of the bytes, 32 bytes. A synchronous run needs the key's bytes; with a `CryptoKey` it throws
   * CannotWait.
   */
  hmacSha256(key: Bytes | CryptoKey, bytes: Bytes): Effect<Bytes>;
  /** Whether two byte ranges of the same length are equal; at the speed of memory if the runtime can. */
  equal(a: Uint8Array, b: Uint8Array): boolean;
}

/** An incremental digest. */
export interface Hasher {
  /** Adds bytes. */
  update(bytes: Uint8Array): void;
  /** Returns the digest. */
  digest(): Bytes;
}

/** An open file: a rename does not change it. */
export interface OpenFile {
  /** Its length, bytes. */
  readonly size: number;
  /** When it was changed or last touched, ms since 1970. */
  readonly modifiedMs: number;
  /** When the system last changed anything about it, which nobody can set. */
  readonly changedMs: number;
  /** Number of its inode; absent where the system has none. */
  readonly inode?: number;
  /**
   * Reads bytes; fewer if the file ends. If there is not enough memory, fails with EFBIG.
   *
   * @param into Memory for them.
   */
  read(offset: number, length: number, into?: Bytes): Operation<Bytes>;
  /**
   * Runs a step with a path that leads to this very file, whatever happens to its name.
   *
   * @param use Gets `undefined` if the system has no such path.
   */
  at<T>(use: (path: string | undefined) => Operation<T>): Operation<T>;
  /** Who else, besides this user and the superuser, can change it; `undefined` if nobody can. */
  exposure(): string | undefined;
}

/** Where a directory is. */
export interface Location {
  /** Its path without links. */
  readonly path: string;
  /** Who else, besides this user and the superuser, could redirect a link on the way to it; absent if nobody can. */
  readonly exposure?: string;
}

/** A regular file in a directory. */
export interface FileInfo {
  /** Its name. */
  readonly name: string;
  /** Its length, bytes. */
  readonly size: number;
  /** When it was changed or last touched, ms since 1970; archives and images may set any time. */
  readonly modifiedMs: number;
  /**
   * When the system last changed anything about it, which nobody can set; the same as `modifiedMs` if the system does
   * not say.
   */
  readonly changedMs: number;
}

/** A file as it was at some time. */
export interface FileIdentity extends Omit<FileInfo, "name" | "changedMs"> {
  /** Another size, time of change or inode is another identity. */
  readonly identity: string;
  /** It is a regular file. */
  readonly isFile: boolean;
}

/** A channel of `node:diagnostics_channel`. */
export interface Channel {
  /** Whether someone listens. */
  readonly hasSubscribers: boolean;
  /** Tells them. */
  publish(message: unknown): void;
}

/** A held lock. */
export interface Lock {
  /** Releases the lock. */
  release(): void;
}

/**
 * Files and locks. Every effect fails with the runtime's own error; {@linkcode systemCode} names it.
 * Directories are made with mode 0700 and files with 0600, whatever the umask. No file is opened through a link: that
 * fails with ELOOP, and with ENXIO where something else than a file or directory stands.
 */
export interface Files {
  /** Absolute path of a directory, its parts separated by `/` on every system. */
  resolve(directory: string | URL): string;
  /** Whether the program may read, or write, what is below `path`: without a prompt, and without touching the disk. */
  mayAccess(path: string, act: "read" | "write"): boolean;
  /** A file name that no other process or call chooses. */
  temporaryName(): string;
  /** Runs a step with a regular file, open for reading. */
  withFile<T>(path: string, use: (file: OpenFile) => Operation<T>): Effect<T>;
  /** Creates a file that must not exist yet, with the parts one after another. */
  create(path: string, parts: readonly Uint8Array[]): Effect<void>;
  /** Renames a file, over an existing one if there is one. */
  rename(from: string, to: string): Effect<void>;
  /** Removes a file. */
  remove(path: string): Effect<void>;
  /**
   * Creates a directory and those above it; does nothing if it exists.
   *
   * @param below Path above it that must exist: neither it nor anything above it is created.
   */
  makeDirectory(path: string, below?: string): Effect<void>;
  /** Removes an empty directory. */
  removeDirectory(path: string): Effect<void>;
  /** Names in a directory. */
  list(path: string): Effect<string[]>;
  /**
   * Regular files in a directory; files that vanish meanwhile are left out.
   *
   * @param names Pattern of the names: no other file is inspected.
   */
  listFiles(path: string, names: RegExp): Effect<FileInfo[]>;
  /** Identity of a file or directory now, links followed. */
  identify(path: string): Effect<FileIdentity>;
  /** Reads a file that is not the cache's, links followed. */
  readWhole(path: string): Effect<Bytes>;
  /** Sets the time at which a file was changed. */
  touch(path: string, modifiedMs: number): Effect<void>;
  /**
   * Who else, besides this user and the superuser, can change a file or what is in a directory; or that it is a link.
   *
   * @returns A text for people; `undefined` if nobody else can, and on systems without modes.
   */
  exposure(path: string): Effect<string | undefined>;
  /**
   * Follows the links of a path that the user gave, and checks who owns each. On systems without modes it checks
   * nothing.
   */
  locate(path: string): Effect<Location>;
  /**
   * Takes the advisory lock of a file, which is created if it is missing, without waiting. The system releases it when
   * the process dies. Absent if the runtime has no such lock.
   *
   * @returns `undefined` while someone else holds it.
   */
  tryLock?(path: string): Effect<Lock | undefined>;
  /**
   * The same for platforms whose lock only asynchronous runs can take; a synchronous one gets `undefined`. Locks nothing
   * where the system refuses. Absent if there is `tryLock`, or neither.
   */
  tryLockAsync?(path: string): Effect<Lock | undefined>;
}
