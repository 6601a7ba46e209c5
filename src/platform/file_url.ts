// What a `file:` URL names on this machine: as Node's fileURLToPath has it, on every runtime. Loads nothing: on Deno
// `node:url` would cost 20 ms.

/**
 * Path of what a caller named.
 *
 * @param given A path, or a `file:` URL.
 * @param isWindows Paths have drives and hosts.
 * @returns The path; with `/` between its parts where a URL was given.
 * @throws {TypeError} When it names nothing on this machine: a URL of another scheme or, but on Windows, of another host;
 * with a separator that is encoded, or a `%` that encodes nothing; a text that is a URL, or has NUL or half a character.
 */
export function pathOf(given: string | URL, isWindows: boolean): string {
  const path = given instanceof URL ? pathOfUrl(given, isWindows) : given;
  const wrong = path.includes("\0")
    ? "it has a NUL character"
    // All such characters become one on the disk: different names would be the same file.
    : !path.isWellFormed()
    ? "it is not well-formed Unicode"
    : !(given instanceof URL) && /^file:\/\//i.test(path)
    ? "it is a URL as text; give a URL object"
    : undefined;
  if (wrong) throw new TypeError(`Cannot use path ${JSON.stringify(path)}: ${wrong}`);
  return path;
}

function pathOfUrl({ host, pathname, protocol }: URL, isWindows: boolean): string {
  const fail = (state: string) => new TypeError(`Cannot use ${protocol}//${host}${pathname}: ${state}`);
  if (protocol !== "file:") throw fail("it is no file: URL");
  if (host !== "" && !isWindows) throw fail("it is on another host");
  if ((isWindows ? /%2f|%5c/i : /%2f/i).test(pathname)) throw fail("it has an encoded separator");
  let path;
  try {
    path = decodeURIComponent(pathname);
  } catch {
    throw fail("it has a % that encodes nothing");
  }
  if (!isWindows) return path;
  if (host !== "") return `//${host}${path}`;
  if (!/^\/[a-z]:/i.test(path)) throw fail("it has no drive");
  return path.slice(1);
}
