// A platform whose files are a map: what the tests and the model checker run the real protocol on.

import { compose, immediate } from "../src/effect.ts";
import type { Bytes, Files, Platform } from "../src/platform/platform.ts";
import { webPlatform } from "../src/platform/web.ts";

/** Files in a map of this process. Directories are what the paths of files say, and those made. */
export class MemoryFiles implements Files {
  /** Content by path. */
  readonly content: Map<string, Bytes> = new Map();
  /** When files were changed, by path. */
  readonly modified: Map<string, number> = new Map();
  /** The time that a change gets. */
  nowMs = 0;
  /** Directories made. */
  readonly directories: Set<string> = new Set(["/"]);
  readonly #locked = new Set<string>();
  #names = 0;

  /** Tells whether no lock is held. */
  get isUnlocked(): boolean {
    return this.#locked.size === 0;
  }

  resolve(directory: string | URL): string {
    return directory instanceof URL ? decodeURIComponent(directory.pathname) : directory;
  }

  mayAccess(): boolean {
    return true;
  }

  temporaryName(): string {
    return `1-${this.#names++}`;
  }

  withFile: Files["withFile"] = (path, use) => {
    const { modified } = this;
    const file = (path: string) => this.#file(path);
    return compose("withFile", function* () {
      const bytes = file(path);
      return yield* use({
        size: bytes.length,
        modifiedMs: modified.get(path) ?? 0,
        changedMs: modified.get(path) ?? 0,
        *read(offset, length) {
          return bytes.slice(offset, offset + length);
        },
        at: (use) => use(undefined),
        exposure: () => undefined,
      });
    });
  };

  create: Files["create"] = (path, parts) =>
    immediate("create", () => {
      if (this.content.has(path)) throw fault("EEXIST", path);
      this.#needParent(path);
      const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
      let at = 0;
      for (const part of parts) {
        bytes.set(part, at);
        at += part.length;
      }
      this.content.set(path, bytes);
      this.modified.set(path, this.nowMs);
    });

  rename: Files["rename"] = (from, to) =>
    immediate("rename", () => {
      const bytes = this.#file(from);
      if (this.directories.has(to)) throw fault("EISDIR", to);
      this.#needParent(to);
      this.content.delete(from);
      this.content.set(to, bytes);
      this.modified.set(to, this.modified.get(from) ?? 0);
      this.modified.delete(from);
    });

  remove: Files["remove"] = (path) =>
    immediate("remove", () => {
      this.#file(path);
      this.content.delete(path);
      this.modified.delete(path);
    });

  removeDirectory: Files["removeDirectory"] = (path) =>
    immediate("removeDirectory", () => {
      if (this.#namesIn(path).length > 0) throw fault("ENOTEMPTY", path);
      this.directories.delete(path);
    });

  makeDirectory: Files["makeDirectory"] = (path, below = "/") =>
    immediate("makeDirectory", () => {
      if (!this.directories.has(below)) throw fault("ENOENT", path);
      for (let at = path; !this.directories.has(at); at = parentOf(at)) {
        if (this.content.has(at)) throw fault("ENOTDIR", at);
        this.directories.add(at);
      }
    });

  list: Files["list"] = (path) => immediate("list", () => this.#namesIn(path));

  listFiles: Files["listFiles"] = (path, names) =>
    immediate("listFiles", () =>
      this.#namesIn(path).filter((name) => names.test(name)).flatMap((name) => {
        const content = this.content.get(`${path}/${name}`);
        const modifiedMs = this.modified.get(`${path}/${name}`) ?? 0;
        return content ? [{ name, size: content.length, modifiedMs, changedMs: modifiedMs }] : [];
      }));

  touch: Files["touch"] = (path, modifiedMs) =>
    immediate("touch", () => {
      this.#file(path);
      this.modified.set(path, modifiedMs);
    });

  identify: Files["identify"] = (path) =>
    immediate("identify", () => {
      const modifiedMs = this.modified.get(path) ?? 0;
      const isFile = !this.directories.has(path);
      const size = isFile ? this.#file(path).length : 0;
      return { identity: `${size},${modifiedMs}`, isFile, modifiedMs, size };
    });

  readWhole: Files["readWhole"] = (path) => immediate("readWhole", () => this.#file(path).slice());

  exposure: Files["exposure"] = (path) =>
    immediate("exposure", () => {
      if (!this.directories.has(path)) this.#file(path);
      return undefined;
    });

  locate: Files["locate"] = (path) =>
    immediate("locate", () => {
      if (!this.directories.has(path)) this.#file(path);
      return { path };
    });

  tryLock: Files["tryLock"] = (path) =>
    immediate("tryLock", () => {
      this.#needParent(path);
      if (this.#locked.has(path)) return undefined;
      this.content.set(path, this.content.get(path) ?? new Uint8Array());
      this.#locked.add(path);
      return { release: () => void this.#locked.delete(path) };
    });

  #file(path: string): Bytes {
    const bytes = this.content.get(path);
    if (bytes) return bytes;
    throw fault(this.directories.has(path) ? "EISDIR" : "ENOENT", path);
  }

  #namesIn(path: string): string[] {
    if (!this.directories.has(path)) throw fault(this.content.has(path) ? "ENOTDIR" : "ENOENT", path);
    return [...this.content.keys(), ...this.directories]
      .filter((other) => other !== "/" && parentOf(other) === path)
      .map((other) => other.slice(other.lastIndexOf("/") + 1));
  }

  #needParent(path: string): void {
    if (!this.directories.has(parentOf(path))) throw fault("ENOENT", path);
  }
}

/** A platform with files in memory, and the clock given. */
export function memoryPlatform(files: MemoryFiles, sha256: Platform["sha256"]): Platform {
  return { ...webPlatform, name: "memory", files, sha256, now: () => files.nowMs };
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

function fault(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
