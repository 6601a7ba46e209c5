// URLs that may have secrets in them: a user part, a query.

/** Whether a URL has a user name or a password. */
export function hasUser(url: string): boolean {
  const { username, password } = new URL(url);
  return username !== "" || password !== "";
}

/**
 * A URL for messages: without user, query and fragment, which may be secrets, and without the content of `data:` URLs.
 */
export function shown(url: string): string {
  if (!URL.canParse(url)) return "what is no URL";
  const { host, pathname, protocol, search } = new URL(url);
  const isPath = /^[^:]*:\/\//.test(url);
  return isPath ? `${protocol}//${host}${pathname}${search && "?…"}` : `${protocol}…`;
}

/** A URL without its user, and the header that says the same. */
export interface WithoutUser {
  /** The URL. */
  readonly href: string;
  /** Absent if there was no user. */
  readonly authorization?: { readonly authorization: string };
}

/** Splits a user from a URL. */
export function splitUser(url: string): WithoutUser {
  if (!hasUser(url)) return { href: url };
  const target = new URL(url);
  // One byte for each escape, whatever it stands for.
  const bytes = `${target.username}:${target.password}`.replace(
    /%([0-9a-f]{2})/gi,
    (_, digits) => String.fromCharCode(parseInt(digits, 16)),
  );
  target.username = target.password = "";
  return { href: target.href, authorization: { authorization: `Basic ${btoa(bytes)}` } };
}
