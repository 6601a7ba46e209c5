// Steps made of several calls, written once over the few calls that every runtime has: reading and writing whole files,
// creating directories with their parents.

import { compose, type Effect, forEach, immediate, limiter, map, type Operation, perform } from "../effect.ts";
import { systemCode } from "../errors.ts";
import type { Bytes, FileInfo, Files, Lock, OpenFile } from "./platform.ts";
import { exposureOf, locate, type Owned, type TrustCalls } from "./trust.ts";

/** The system's information about a file. */
export interface FileStat extends Omit<FileInfo, "name">, Owned {
  /** Whether it is a regular file, not a link. */
  readonly isFile: boolean;
  /** Whether it is a directory, not a link. */
  readonly isDirectory: boolean;
  /** Inode number; Deno has none on Windows. */
  readonly inode: number | null;
}

/** An open file. */
export interface Handle {
  /** The system's information about it. */
  readonly stat: Effect<FileStat>;
  /** Closes the file. */
  readonly close: Effect<void>;
  /** Sets permission bits. */
  chmod(mode: number): Effect<void>;
  /** Reads into a buffer from an offset. Returns the number of bytes read, 0 or less at the end. */
  read(into: Bytes, offset: number): Effect<number>;
  /** A path that leads to the open file until it is released; `undefined` if the system has none. */
  link(): { readonly path: string; release(): void } | undefined;
  /** Writes on. Returns the number of bytes written. */
  write(bytes: Uint8Array): Effect<number>;
}

/** Calls that a runtime must provide. None follows a link, or waits for the other end of a pipe. */
export interface Calls extends TrustCalls {
  /** Opens a file for reading. */
  open(path: string): Effect<Handle>;
  /** Opens a file for reading, links followed. */
  openLinked(path: string): Effect<Handle>;
  /** Creates a file that must not exist yet, for writing, with mode 0600 less the umask. */
  create(path: string): Effect<Handle>;
  /** Creates one directory, with mode 0700 less the umask. */
  mkdir(path: string): Effect<void>;
  /** Sets the permission bits of a directory. */
  chmod(path: string, mode: number): Effect<void>;
  /** The system's information about a path; about a link itself unless `follow`. */
  stat(path: string, follow: boolean): Effect<FileStat>;
  /** Names in a directory. */
  list(path: string): Effect<string[]>;
  /** Locks a file that must exist; absent if the runtime cannot. */
  lock?(path: string): Lock | undefined;
}

/** Most bytes that one call reads or writes: Node rejects more than 2 GiB. */
const MAX_CALL_BYTES = 1024 * 1024 * 1024;

/** Most files open at a time: many cold lookups at once must not use up the process's descriptors. */
const MAX_OPEN_FILES = 16;

/** The composed effects of a platform. */
export function composed(
  calls: Calls,
): Omit<Files, "resolve" | "mayAccess" | "temporaryName" | "rename" | "remove" | "removeDirectory" | "touch"> {
  const enter = limiter(MAX_OPEN_FILES);
  // Only one synchronous run is under way at a time.
  const limited = <T>(name: string, operation: () => Operation<T>): Effect<T> => {
    const { sync, async } = compose(name, operation);
    return { name, sync, async: () => enter(async) };
  };
  const create: Files["create"] = (path, parts) =>
    limited("create", () =>
      using(calls.create(path), function* (handle) {
        yield* setMode(handle.stat, 0o600, (mode) => handle.chmod(mode));
        yield* writeParts(handle, parts);
      }));
  return {
    withFile: (path, use) =>
      limited("withFile", () =>
        using(calls.open(path), function* (handle) {
          const stat = checkRegular(yield* perform(handle.stat));
          const { changedMs, inode, modifiedMs, size } = stat;
          return yield* use({
            size,
            modifiedMs,
            changedMs,
            inode: inode ?? undefined,
            read: (offset, length, into) => fill(handle, offset, length, into),
            at: linked(handle),
            exposure: () => exposureOf(stat, calls),
          });
        })),
    create,
    makeDirectory: (path, below) => compose("makeDirectory", () => makeTree(calls, path, below)),
    list: calls.list,
    listFiles: (path, names) => compose("listFiles", () => listFiles(calls, path, names)),
    identify: (path) =>
      map(calls.stat(path, true), ({ inode, isFile, modifiedMs, size }) => ({
        identity: [size, modifiedMs, inode].join(),
        isFile,
        modifiedMs,
        size,
      })),
    readWhole: (path) => compose("readWhole", () => readWhole(calls, path)),
    exposure: (path) => map(calls.stat(path, false), (stat) => exposureOf(stat, calls)),
    locate: (path) => compose("locate", () => locate(calls, path)),
    ...(calls.lock ? { tryLock: (path) => compose("tryLock", () => takeLock(calls.lock!, create, path)) } : {}),
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

/** Rejects anything but a regular file, with the code that says what it is. */
export function checkRegular(stat: FileStat): FileStat {
  if (stat.isFile) return stat;
  if (stat.isLink) throw fault("ELOOP", "it is a link");
  throw stat.isDirectory ? fault("EISDIR", "it is a directory") : fault("ENXIO", "it is not a file");
}

function linked(handle: Handle): OpenFile["at"] {
  return function* (use) {
    const link = handle.link();
    try {
      return yield* use(link?.path);
    } finally {
      link?.release();
    }
  };
}

function* fill(handle: Handle, offset: number, length: number, into = allocate(length)): Operation<Bytes> {
  const bytes = into.length === length ? into : into.subarray(0, length);
  let filled = 0;
  while (filled < length) {
    const count = yield* perform(handle.read(callPart(bytes, filled), offset + filled));
    if (count <= 0) return bytes.subarray(0, filled);
    filled += count;
  }
  return bytes;
}

/** The bytes that one call reads or writes: usually all of them, as they are. */
function callPart<T extends Uint8Array>(bytes: T, from: number): T {
  if (from === 0 && bytes.length <= MAX_CALL_BYTES) return bytes;
  return bytes.subarray(from, from + MAX_CALL_BYTES) as T;
}

function allocate(length: number): Bytes {
  try {
    return new Uint8Array(length);
  } catch {
    // Whatever the engine's error: there is no buffer of that size.
    throw fault("EFBIG", `there is no memory for ${length} bytes`);
  }
}

/** Into memory of its size: the runtimes' own calls read parts and join them, in twice the time and more. */
function* readWhole(calls: Calls, path: string): Operation<Bytes> {
  const { size } = yield* perform(calls.stat(path, true));
  return yield* using(calls.openLinked(path), (handle) => fill(handle, 0, size));
}

function* writeParts(handle: Handle, parts: readonly Uint8Array[]): Operation<void> {
  for (const part of parts) {
    let written = 0;
    while (written < part.length) {
      const count = yield* perform(handle.write(callPart(part, written)));
      // Trying again would never end.
      if (count <= 0) throw fault("EIO", "nothing could be written");
      written += count;
    }
  }
}

/** Restores what the umask took away, if anything. Only then: a change by path affects whatever is there by now. */
function* setMode(stat: Effect<FileStat>, mode: number, chmod: (mode: number) => Effect<void>): Operation<void> {
  try {
    if (((yield* perform(stat)).mode & 0o777) !== mode) yield* perform(chmod(mode));
  } catch {
    // Any error: some file systems have no modes, and a umask only narrows them.
  }
}

/**
 * Creates a directory and those above it. Not by the runtimes' own recursive call: if the system reports ENOENT
 * although the parent exists, as below /proc, Node's never ends (seen on 22, 24 and 26).
 */
function* makeTree(calls: Calls, path: string, below = ""): Operation<void> {
  if (yield* made(calls, path)) return;
  const end = path.lastIndexOf("/");
  if (end > below.length) yield* makeTree(calls, path.slice(0, end), below);
  // Twice: folders above may be removed meanwhile, and created again by others.
  const isMade = (yield* made(calls, path)) || (yield* made(calls, path));
  if (!isMade) throw fault("ENOENT", "it has no parent");
}

/** Creates one directory. Returns `false` if its parent is missing. */
function* made(calls: Calls, path: string): Operation<boolean> {
  try {
    yield* perform(calls.mkdir(path));
  } catch (error) {
    const code = systemCode(error);
    if (code === "EEXIST") return true;
    if (code !== "ENOENT") throw error;
    return false;
  }
  yield* setMode(calls.stat(path, false), 0o700, (mode) => calls.chmod(path, mode));
  return true;
}

function* takeLock(
  lock: (path: string) => Lock | undefined,
  create: Files["create"],
  path: string,
): Operation<Lock | undefined> {
  const taking = immediate("lock", () => lock(path));
  try {
    return yield* perform(taking);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
  try {
    yield* perform(create(path, []));
  } catch (error) {
    // Another process was faster.
    if (systemCode(error) !== "EEXIST") throw error;
  }
  return yield* perform(taking);
}

function* listFiles(calls: Calls, path: string, names: RegExp): Operation<FileInfo[]> {
  const wanted = (yield* perform(calls.list(path))).filter((name) => names.test(name));
  const found: FileInfo[][] = [];
  yield* forEach(wanted.entries(), function* ([i, name]) {
    found[i] = yield* infoOf(calls, path, name);
  });
  return found.flat();
}

/** Nothing if it is gone already, or not a file. */
function* infoOf(calls: Calls, path: string, name: string): Operation<FileInfo[]> {
  try {
    const { isFile, size, modifiedMs, changedMs } = yield* perform(calls.stat(`${path}/${name}`, false));
    return isFile ? [{ name, size, modifiedMs, changedMs }] : [];
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    return [];
  }
}

function fault(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
