// The libraries behind the steps. They are large and few programs use them, so this package does not depend on them: no
// import names them where a registry or a bundler could see it, and who uses a step installs its library.

/** Loads a library, as `() => import("…")` does; gives its namespace. */
export type LoadLibrary = () => Promise<unknown>;

/** The library is not installed, or in another version. */
export class NotInstalled extends Error {}

/**
 * Loads a library of one version: what another one makes would be kept under the wrong name. Looks beside this package
 * first; Deno then takes it from the npm registry, or its own cache of that.
 *
 * @param name Its name in the npm registry.
 * @param version The version that the step's id names.
 * @returns Its default export.
 * @throws {NotInstalled} When there is no such library of that version.
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
