// What the environment says of a program: variables, and where its user's caches are. Never prompts, and takes what it may
// not know for absent.

interface Runtime {
  Deno?: {
    build: { os: string };
    env: { get(name: string): string | undefined };
    permissions: {
      querySync(asked: { name: "env"; variable: string } | { name: "read"; path: URL }): { state: string };
    };
  };
  process?: { env?: Record<string, string | undefined>; platform?: string; cwd?(): string };
}

const { Deno: deno, process } = runtime();

/** On Deno `process` is not touched: that takes 20 ms. */
function runtime(): Runtime {
  const { Deno } = globalThis as Runtime;
  return Deno ? { Deno } : { process: (globalThis as Runtime).process };
}

/** Value of an environment variable; `undefined` where it is not set, empty, or not to be known. */
export function variable(name: string): string | undefined {
  try {
    if (deno && deno.permissions.querySync({ name: "env", variable: name }).state !== "granted") return undefined;
    return (deno ? deno.env.get(name) : process?.env?.[name]) || undefined;
  } catch {
    return undefined;
  }
}

/** The folder for this user's caches, as the system has it; `undefined` where that is not known. */
export function userCaches(): string | undefined {
  const os = deno?.build.os ?? process?.platform;
  if (os === "windows" || os === "win32") return variable("LOCALAPPDATA");
  const home = variable("HOME");
  if (os === "darwin") return home && `${home}/Library/Caches`;
  const named = variable("XDG_CACHE_HOME");
  return named?.startsWith("/") ? named : home && `${home}/.cache`;
}

/** A path as it is meant now. Deno, which would ask for a permission, leaves it as it is. */
export function absolute(path: string | undefined): string | undefined {
  const isRelative = path !== undefined && !/^([\\/]|[A-Za-z]:)/.test(path);
  return isRelative && process?.cwd ? `${process.cwd()}/${path}` : path;
}

/** Whether a file may be read without a prompt. */
export function mayRead(path: URL): boolean {
  return !deno || deno.permissions.querySync({ name: "read", path }).state === "granted";
}
