// Paths of `file:` URLs, on every runtime as Node's fileURLToPath gives them. Loads nothing: on Deno `node:url` would
// cost 20 ms.

/**
 * Path of a path or `file:` URL.
 *
 * @param given A path, or a `file:` URL.
 * @param isWindows Whether paths have drives and hosts.
 * @returns The path; that of a URL has `/` between its parts.
 * @throws {TypeError} When it cannot be a path of this machine: a URL of another scheme or, except on Windows, of
 * another host; an encoded separator, or a `%` that encodes nothing; a text that is a URL, contains NUL, or is not
 * well-formed Unicode.
 */
export function pathOf(given: string | URL, isWindows: boolean): string {
  const path = given instanceof URL ? pathOfUrl(given, isWindows) : given;
  const wrong = path.includes("\0")
    ? "it has a NUL character"
    // On the disk all such characters become the same one: different names would be one file.
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
