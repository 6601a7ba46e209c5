// Deno: files and locks by its own API, so that no `node:` module has to load. Never prompts for a permission.

import { compose, type Effect, immediate, map, type Operation, perform, runSync } from "../effect.ts";
import { crypto } from "./globals.ts";
import { builtin, type Builtins } from "./node_builtins.ts";
import type { Bytes, Files, Hasher, Lock, Platform } from "./platform.ts";
import { nativeHasher, nativeHmacSha256, subtleSha256, webPlatform } from "./web.ts";
import { paced } from "./paced.ts";
import { pathOf } from "./file_url.ts";
import { checkRegular, composed, type FileStat, type Handle } from "./composed.ts";
import { linkTo } from "./deno_link.ts";

/** The platform of Deno. */
export function denoPlatform(): Platform {
  return { ...webPlatform, name: "deno", files: denoFiles, sha256, hasher, hmacSha256 };
}

/** From this length on `node:crypto` pays, which takes 20 ms to load: Web Crypto copies the bytes, and needs all. */
const NODE_CRYPTO_FROM_BYTES = 16 * 1024 * 1024;

/**
 * Web Crypto in asynchronous runs, which copies the bytes and waits for another thread, until that took as long; then
 * `node:crypto`.
 */
function sha256(bytes: Bytes): Effect<Bytes> {
  return {
    name: "sha256",
    sync: () => nodeSha256(bytes),
    async: () => loadedCrypto || ++waits > MAX_WAITS ? nodeSha256(bytes) : subtleSha256(bytes),
  };
}

/** A wait takes 0.1 ms. */
const MAX_WAITS = 200;

let waits = 0;

function hasher(length = 0): Hasher | undefined {
  const pays = loadedCrypto !== undefined || length >= NODE_CRYPTO_FROM_BYTES;
  return pays ? nativeHasher(nodeCrypto().createHash("sha256")) : undefined;
}

function nodeSha256(bytes: Bytes): Bytes {
  return new Uint8Array(nodeCrypto().createHash("sha256").update(bytes).digest());
}

/** Web Crypto in asynchronous runs, as above. */
function hmacSha256(key: Bytes | CryptoKey, bytes: Bytes): Effect<Bytes> {
  const { async } = webPlatform.hmacSha256(key, bytes);
  const { sync } = nativeHmacSha256((key, bytes) => nodeCrypto().createHmac("sha256", key).update(bytes).digest())(
    key,
    bytes,
  );
  return { name: "hmacSha256", sync, async };
}

let loadedCrypto: Builtins["node:crypto"] | undefined;

function nodeCrypto(): Builtins["node:crypto"] {
  return loadedCrypto ??= builtin("node:crypto");
}

const denoFiles: Files = {
  resolve,
  mayAccess: (path, act) => isGranted(act, path),
  temporaryName: () => `${Deno.pid}-${crypto.randomUUID()}`,
  ...composed({
    open: (path) =>
      map(compose("open", () => openRegular(path, { read: true })), ({ file, info }) => handle(file, path, info)),
    openLinked: (path) => map(open(path, { read: true }), (file) => handle(file, path)),
    create: (path) => map(open(path, { write: true, createNew: true, mode: 0o600 }), (file) => handle(file, path)),
    mkdir: (path) =>
      paced("mkdir", () => Deno.mkdirSync(path, { mode: 0o700 }), () => Deno.mkdir(path, { mode: 0o700 })),
    chmod,
    stat,
    list: (path) =>
      paced(
        "list",
        () => Array.from(Deno.readDirSync(path), ({ name }) => name),
        () => Array.fromAsync(Deno.readDir(path), ({ name }) => name),
      ),
    realPath: (path) => paced("realPath", () => Deno.realPathSync(path), () => Deno.realPath(path)),
    readLink: (path) => paced("readLink", () => Deno.readLinkSync(path), () => Deno.readLink(path)),
    userId,
    lock,
  }),
  rename: (from, to) => paced("rename", () => Deno.renameSync(from, to), () => Deno.rename(from, to)),
  remove,
  // Deno's `remove` takes files and directories: what is removed here was listed as a directory.
  removeDirectory: remove,
  touch: (path, modifiedMs) => {
    const at = new Date(modifiedMs);
    return paced("touch", () => Deno.utimeSync(path, at, at), () => Deno.utime(path, at, at));
  },
};

function resolve(directory: string | URL): string {
  const isWindows = Deno.build.os === "windows";
  const given = pathOf(directory, isWindows);
  const path = isWindows ? given.replaceAll("\\", "/") : given;
  const isAbsolute = isWindows ? /^([a-z]:)?\//i.test(path) : path.startsWith("/");
  // Without permission to read the working directory the path stays relative: a later chdir then moves the cache.
  return normal(isAbsolute || !isGranted("read", ".") ? path : `${Deno.cwd().replaceAll("\\", "/")}/${path}`);
}

/** Removes `.`, `..`, empty parts and a trailing slash, so that one directory has one name. */
function normal(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === ".." && parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return (path.startsWith("//") && Deno.build.os === "windows" ? "//" : path.startsWith("/") ? "/" : "") +
    parts.join("/");
}

/**
 * Queries a permission without a prompt: on a terminal, using what is not granted would stop the program with a
 * question.
 */
function isGranted(name: "read" | "write", path?: string): boolean {
  return Deno.permissions.querySync({ name, path }).state === "granted";
}

function remove(path: string): Effect<void> {
  return paced("remove", () => Deno.removeSync(path), () => Deno.remove(path));
}

function stat(path: string, follow: boolean): Effect<FileStat> {
  const [sync, async] = follow ? [Deno.statSync, Deno.stat] : [Deno.lstatSync, Deno.lstat];
  return map(paced("stat", () => sync(path), () => async(path)), statOf);
}

function statOf(info: Deno.FileInfo): FileStat {
  const { ctime, ino: inode, isDirectory, isFile, isSymlink: isLink, mode, mtime, size, uid } = info;
  const modifiedMs = mtime?.getTime() ?? 0;
  const times = { modifiedMs, changedMs: ctime?.getTime() ?? modifiedMs };
  return { isFile, isDirectory, isLink, inode, size, ...times, uid: uid ?? 0, mode: mode ?? 0 };
}

/** Deno offers no way to become another user. */
let knownUser: number | null | undefined;

function userId(): number | undefined {
  if (Deno.build.os === "windows") return undefined;
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "uid" });
  // Asked once: it takes 10 µs.
  if (state === "granted") return (knownUser ??= Deno.uid()) ?? undefined;
  throw Object.assign(new Error("the program may not know its user: it needs --allow-sys=uid"), { code: "NotCapable" });
}

function open(path: string, options: Deno.OpenOptions): Effect<Deno.FsFile> {
  return paced("open", () => Deno.openSync(path, options), () => Deno.open(path, options));
}

function chmod(path: string, mode: number): Effect<void> {
  return paced("chmod", () => Deno.chmodSync(path, mode), () => Deno.chmod(path, mode));
}

/** How often a file may be replaced while it is being opened. */
const MAX_REPLACEMENTS = 5;

/**
 * Opens a file that is not a link. Deno cannot refuse links: the path is inspected first, and the open file must be
 * what was found there. If a writer has replaced it meanwhile, tries again.
 */
function* openRegular(
  path: string,
  options: Deno.OpenOptions,
): Operation<{ file: Deno.FsFile; info: Deno.FileInfo }> {
  for (let attempt = 0; attempt < MAX_REPLACEMENTS; attempt++) {
    const found = yield* perform(paced("stat", () => Deno.lstatSync(path), () => Deno.lstat(path)));
    checkRegular(statOf(found));
    const file = yield* perform(open(path, options));
    let isSame = false;
    try {
      const info = infoOf(file, path);
      isSame = info.dev === found.dev && info.ino === found.ino;
      if (isSame) return { file, info };
    } finally {
      if (!isSame) file.close();
    }
  }
  throw Object.assign(new Error("it was replaced again and again"), { code: "EBUSY" });
}

/**
 * The system's information about an open file. Deno requires permission for the real path, and would prompt. Without
 * it, the path is inspected once more.
 */
function infoOf(file: Deno.FsFile, path: string): Deno.FileInfo {
  const mayAsk = isGranted("read") || isGranted("read", Deno.realPathSync(path));
  return mayAsk ? file.statSync() : Deno.lstatSync(path);
}

/** @param info The system's information about the file, just read. */
function handle(file: Deno.FsFile, path: string, info?: Deno.FileInfo): Handle {
  let position = 0;
  const seek = (offset: number) => {
    if (offset !== position) file.seekSync(offset, Deno.SeekMode.Start);
    position = offset;
  };
  const passed = (count: number | null) => {
    position += count ?? 0;
    return count ?? 0;
  };
  return {
    stat: immediate("stat", () => statOf(info ?? infoOf(file, path))),
    // There is no call for an open file. Made only if the umask took away what the owner needs.
    chmod: (mode) => chmod(path, mode),
    read: (into, offset) =>
      paced(
        "read",
        () => (seek(offset), passed(file.readSync(into))),
        async () => (seek(offset), passed(await file.read(into))),
        into.length,
      ),
    link: () => linkTo(path, info ?? infoOf(file, path)),
    write: (bytes) => {
      const isWhole = (count: number) => count === 0 || count === bytes.length ? count : writtenInPart();
      return map(paced("write", () => file.writeSync(bytes), () => file.write(bytes), bytes.length), isWhole);
    },
    close: immediate("close", () => file.close()),
  };
}

/**
 * The disk is full, or files must not grow larger (`ulimit -f`). In the second case the next write would end the
 * process, because Deno does not handle SIGXFSZ.
 */
function writtenInPart(): never {
  throw Object.assign(new Error("there was room for a part of it"), { code: "ENOSPC" });
}

function lock(path: string): Lock | undefined {
  const { file } = runSync(openRegular(path, { read: true, write: true }));
  let locked = false;
  try {
    locked = file.tryLockSync(true);
  } finally {
    if (!locked) file.close();
  }
  return locked ? { release: () => file.close() } : undefined;
}
