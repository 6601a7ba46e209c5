// Loads a module of ours synchronously, as Node and Bun can, and Deno for files.

import { mayRead } from "./environment.ts";

interface Runtime {
  process?: { getBuiltinModule?(name: "node:module"): { createRequire(base: string): (path: string) => unknown } };
}

/**
 * Loads a module that lies beside another.
 *
 * @param base URL of the other, `import.meta.url`; a CommonJS bundle has none.
 * @param path Relative path, without the extension: it is the other's.
 * @returns `undefined` where the runtime cannot, the program may not, the module is not there (in a bundle), or is of
 * another realm.
 */
export function requireSync(base: string | undefined, path: string): object | undefined {
  if (!base?.startsWith("file:")) return undefined;
  const target = path + base.slice(base.lastIndexOf("."));
  try {
    if (!mayRead(new URL(target, base))) return undefined;
    const { process } = globalThis as Runtime;
    const loaded = process?.getBuiltinModule?.("node:module").createRequire(base)(target) as object | undefined;
    return loaded && isOfThisRealm(loaded) ? loaded : undefined;
  } catch {
    return undefined;
  }
}

/** Vitest runs programs in a realm of their own, and Node loads into its own: modules compiled there have another class. */
function isOfThisRealm(loaded: object): boolean {
  return Object.values(loaded).every((value) => typeof value !== "function" || value instanceof Function);
}
