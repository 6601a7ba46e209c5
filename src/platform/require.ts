// Loads a module of ours synchronously, as Node and Bun can, and Deno for files.

interface Runtime {
  process?: { getBuiltinModule?(name: "node:module"): { createRequire(base: string): (path: string) => unknown } };
}

/**
 * Loads a module that lies beside another.
 *
 * @param base URL of the other.
 * @param path Relative path, without the extension: it is the other's.
 * @returns `undefined` where the runtime cannot, or the module is not there: in a bundle.
 */
export function requireSync<T>(base: string, path: string): T | undefined {
  if (!base.startsWith("file:")) return undefined;
  try {
    const { process } = globalThis as Runtime;
    return process?.getBuiltinModule?.("node:module").createRequire(base)(
      path + base.slice(base.lastIndexOf(".")),
    ) as T;
  } catch {
    return undefined;
  }
}
