// A platform whose files are a map: what the tests and the model checker run the real protocol on.

import { immediate } from "../effect.ts";
import type { Bytes, Files, Platform } from "./platform.ts";
import { webPlatform } from "./web.ts";

/** Files in a map of this process. Directories are what the paths of files say, and those made. */
export class MemoryFiles implements Files {
  /** Content by path. */
  readonly content: Map<string, Bytes> = new Map();
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

  access(): { read: boolean; write: boolean } {
    return { read: true, write: true };
  }

  temporaryName(): string {
    return `1-${this.#names++}`;
  }

  read: Files["read"] = (path, headLength, bodyLength) =>
    immediate("read", () => {
      const bytes = this.content.get(path);
      if (!bytes) throw fault(this.directories.has(path) ? "EISDIR" : "ENOENT", path);
      const head = bytes.slice(0, headLength);
      const body = bytes.slice(headLength, headLength + bodyLength(head, bytes.length));
      return { head, body, size: bytes.length };
    });

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
    });

  rename: Files["rename"] = (from, to) =>
    immediate("rename", () => {
      const bytes = this.content.get(from);
      if (!bytes) throw fault("ENOENT", from);
      if (this.directories.has(to)) throw fault("EISDIR", to);
      this.#needParent(to);
      this.content.delete(from);
      this.content.set(to, bytes);
    });

  remove: Files["remove"] = (path) =>
    immediate("remove", () => {
      if (!this.content.delete(path)) throw fault("ENOENT", path);
    });

  makeDirectory: Files["makeDirectory"] = (path) =>
    immediate("makeDirectory", () => {
      for (let at = path; !this.directories.has(at); at = parentOf(at)) {
        if (this.content.has(at)) throw fault("ENOTDIR", at);
        this.directories.add(at);
      }
    });

  list: Files["list"] = (path) =>
    immediate("list", () => {
      if (!this.directories.has(path)) throw fault(this.content.has(path) ? "ENOTDIR" : "ENOENT", path);
      return [...this.content.keys(), ...this.directories]
        .filter((other) => other !== "/" && parentOf(other) === path)
        .map((other) => other.slice(other.lastIndexOf("/") + 1));
    });

  tryLock: Files["tryLock"] = (path) =>
    immediate("tryLock", () => {
      this.#needParent(path);
      if (this.#locked.has(path)) return undefined;
      this.content.set(path, this.content.get(path) ?? new Uint8Array());
      this.#locked.add(path);
      return { release: () => void this.#locked.delete(path) };
    });

  #needParent(path: string): void {
    if (!this.directories.has(parentOf(path))) throw fault("ENOENT", path);
  }
}

/** A platform with files in memory, and the clock given. */
export function memoryPlatform(files: MemoryFiles, sha256: Platform["sha256"]): Platform {
  return { ...webPlatform, name: "memory", files, sha256 };
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

function fault(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
