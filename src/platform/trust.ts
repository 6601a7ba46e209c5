// Who else can change a file, what is in a directory, or where a path leads: modes, owners, links. Knows no runtime.

import { type Effect, type Operation, perform } from "../effect.ts";
import type { Location } from "./platform.ts";

/** Owner and mode of a file. */
export interface Owned {
  /** Whether it is a link. */
  readonly isLink: boolean;
  /** Numeric id of the file's owner. */
  readonly uid: number;
  /** Permission bits. */
  readonly mode: number;
}

/** Calls that a runtime must provide. */
export interface TrustCalls {
  /** Information about a path; about a link itself unless `follow`. */
  stat(path: string, follow: boolean): Effect<Owned>;
  /** The real path, links resolved. */
  realPath(path: string): Effect<string>;
  /** Target of a link. */
  readLink(path: string): Effect<string>;
  /** Numeric id of this user; `undefined` if the system has none. Throws if the program may not know. */
  userId(): number | undefined;
}

const ROOT_USER = 0;
const WRITABLE_BY_OTHERS = 0o022;

/** Most links in a path, as on Linux. */
const MAX_LINKS = 40;

/** Who else, besides this user and the superuser, can change a file. */
export function exposureOf({ isLink, uid, mode }: Owned, calls: TrustCalls): string | undefined {
  if (isLink) return "it is a link";
  if (calls.userId() === undefined) return undefined;
  if (isOthers(uid, calls)) return `it belongs to user ${uid}`;
  if (mode & WRITABLE_BY_OTHERS) return `its mode ${(mode & 0o777).toString(8)} lets others write`;
}

/**
 * Follows the links of a path, and checks who owns each: in a folder with the sticky bit, such as `/tmp`, the owner of
 * a link can redirect it. If there is no link, one call shows it, which needs no permission for the folders above.
 */
export function* locate(calls: TrustCalls, path: string): Operation<Location> {
  if (calls.userId() === undefined) return { path };
  let missing: unknown;
  try {
    if ((yield* perform(calls.realPath(path))) === path) return { path };
  } catch (error) {
    missing = error;
  }
  if (!path.startsWith("/")) return { path, exposure: "the program may not know where it is" };
  try {
    return yield* follow(calls, path);
  } catch (error) {
    // The path does not exist yet: links on the way are checked as far as the program may look.
    throw missing ?? error;
  }
}

function* follow(calls: TrustCalls, given: string): Operation<Location> {
  let at = "";
  let links = 0;
  const left = given.split("/");
  for (let part; (part = left.shift()) !== undefined;) {
    // The part before has no links any more.
    if (part === "..") at = at.slice(0, Math.max(0, at.lastIndexOf("/")));
    if (["", ".", ".."].includes(part)) continue;
    const path = `${at}/${part}`;
    const { isLink, uid } = yield* perform(calls.stat(path, false));
    if (!isLink) at = path;
    else if (isOthers(uid, calls)) return { path: given, exposure: `its link ${path} belongs to user ${uid}` };
    else if (++links > MAX_LINKS) throw Object.assign(new Error("too many links"), { code: "ELOOP" });
    else {
      const target = yield* perform(calls.readLink(path));
      if (target.startsWith("/")) at = "";
      left.unshift(...target.split("/"));
    }
  }
  return { path: at || "/" };
}

function isOthers(uid: number, calls: TrustCalls): boolean {
  return uid !== calls.userId() && uid !== ROOT_USER;
}
