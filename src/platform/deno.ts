// Deno: files and locks by its own API, so that nothing of `node:` has to load. Never prompts for a permission.

import { type Effect, immediate } from "../effect.ts";
import type { Bytes, Files, Lock, Platform } from "./platform.ts";
import { subtleSha256, webPlatform } from "./web.ts";
import { composed, type Handle } from "./composed.ts";

/** The platform of Deno. */
export function denoPlatform(): Platform {
  return { ...webPlatform, name: "deno", files: denoFiles, sha256 };
}

/** Web Crypto where there is time: `node:crypto` is no faster once loaded, and takes 30 ms to load. */
function sha256(bytes: Bytes): Effect<Bytes> {
  return { name: "sha256", sync: () => nodeSha256(bytes), async: () => subtleSha256(bytes) };
}

function nodeSha256(bytes: Bytes): Bytes {
  const { process } = globalThis as unknown as {
    process: { getBuiltinModule(name: "node:crypto"): typeof import("node:crypto") };
  };
  return new Uint8Array(process.getBuiltinModule("node:crypto").createHash("sha256").update(bytes).digest());
}

const denoFiles: Files = {
  resolve,
  access: (path) => ({ read: isGranted("read", path), write: isGranted("write", path) }),
  temporaryName: () => `${Deno.pid}-${crypto.randomUUID()}`,
  ...composed({
    open: (path) => open(path, { read: true }),
    create: (path) => open(path, { write: true, createNew: true, mode: 0o600 }),
    mkdir: (path) =>
      both("mkdir", () => Deno.mkdirSync(path, { mode: 0o700 }), () => Deno.mkdir(path, { mode: 0o700 })),
  }),
  rename: (from, to) => both("rename", () => Deno.renameSync(from, to), () => Deno.rename(from, to)),
  remove: (path) => both("remove", () => Deno.removeSync(path), () => Deno.remove(path)),
  list: (path) =>
    both(
      "list",
      () => Array.from(Deno.readDirSync(path), ({ name }) => name),
      () => Array.fromAsync(Deno.readDir(path), ({ name }) => name),
    ),
  tryLock: (path) => immediate("tryLock", () => tryLock(path)),
};

function both<T>(name: string, sync: () => T, async: () => Promise<T>): Effect<T> {
  return { name, sync, async };
}

function resolve(directory: string | URL): string {
  const given = directory instanceof URL ? pathOf(directory) : directory;
  const path = Deno.build.os === "windows" ? given.replaceAll("\\", "/") : given;
  const isAbsolute = Deno.build.os === "windows" ? /^([a-z]:)?\//i.test(path) : path.startsWith("/");
  // Without permission to know the working directory the path stays relative to it: a later chdir then moves the cache.
  return normal(isAbsolute || !isGranted("read", ".") ? path : `${Deno.cwd().replaceAll("\\", "/")}/${path}`);
}

/** Without `.`, `..`, empty parts and a slash at the end, so that one directory has one name. */
function normal(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === ".." && parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return (path.startsWith("//") && Deno.build.os === "windows" ? "//" : path.startsWith("/") ? "/" : "") +
    parts.join("/");
}

function pathOf(url: URL): string {
  let path;
  try {
    path = decodeURIComponent(url.pathname);
  } catch (cause) {
    throw new TypeError(`Cannot use directory ${url}: its path is not well-formed`, { cause });
  }
  if (Deno.build.os !== "windows") return path;
  return url.host ? `//${url.host}${path}` : path.slice(1);
}

/** Asks without a prompt: on a terminal, using what is not granted would stop the program with a question. */
function isGranted(name: "read" | "write", path: string): boolean {
  return Deno.permissions.querySync({ name, path }).state === "granted";
}

function open(path: string, options: Deno.OpenOptions): Effect<Handle> {
  return both("open", () => handle(Deno.openSync(path, options)), async () => handle(await Deno.open(path, options)));
}

function handle(file: Deno.FsFile): Handle {
  return {
    // Not by stat: that asks for permission to the file behind links, which may not be granted, and would prompt.
    size: immediate("size", () => {
      const size = file.seekSync(0, Deno.SeekMode.End);
      file.seekSync(0, Deno.SeekMode.Start);
      return size;
    }),
    read: (into) => both("read", () => file.readSync(into) ?? 0, async () => await file.read(into) ?? 0),
    write: (bytes) => both("write", () => file.writeSync(bytes), () => file.write(bytes)),
    close: immediate("close", () => file.close()),
  };
}

function tryLock(path: string): Lock | undefined {
  const file = Deno.openSync(path, { append: true, create: true, mode: 0o600 });
  let locked = false;
  try {
    locked = file.tryLockSync(true);
  } finally {
    if (!locked) file.close();
  }
  return locked ? { release: () => file.close() } : undefined;
}
