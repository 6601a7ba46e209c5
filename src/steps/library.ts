// The libraries behind the steps. They are large and few programs use them, so this package does not depend on them: no
// import names them where a registry or a bundler could see it, and users of a step install its library.

/** Loads a library, as `() => import("…")` does, and returns its namespace. */
export type LoadLibrary = () => Promise<unknown>;

/** The library is not installed, or in another version. */
export class NotInstalled extends Error {}

/**
 * Loads a library in one version: the output of another one would be stored under the wrong id. Looks beside this
 * package first; Deno then takes it from npm, or from its own cache.
 *
 * @param name Its name in the npm registry.
 * @param version The version that the step's id names.
 * @returns Its default export.
 * @throws {NotInstalled} When the library is not there in that version.
 */
export async function loadLibrary(name: string, version: string): Promise<unknown> {
  let cause: unknown;
  for (const specifier of [name, `npm:${name}@${version}`]) {
    try {
      const about = await import(/* @vite-ignore */ `${specifier}/package.json`, { with: { type: "json" } });
      const found = about.default.version;
      if (found === version) return defaultOf(await import(/* @vite-ignore */ specifier));
      cause ??= new Error(`it is ${name}@${found}`);
    } catch (error) {
      cause ??= error;
    }
  }
  throw new NotInstalled(`Cannot load ${name}: ${name}@${version} must be installed`, { cause });
}

/** What a library exports: namespaces of CommonJS packages have it one level deeper, but not those of every bundler. */
export function defaultOf(namespace: unknown): unknown {
  return (namespace as { default?: unknown }).default ?? namespace;
}
