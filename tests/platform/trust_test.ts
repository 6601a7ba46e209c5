// Who else can change a file or turn a path, on a file system of the test's own.

import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import { immediate, runSync } from "../../src/effect.ts";
import { systemCode } from "../../src/errors.ts";
import { exposureOf, locate, type Owned, type TrustCalls } from "../../src/platform/trust.ts";

const [ME, OTHER, ROOT_USER] = [1000, 1001, 0];

/** Links, by path: where they lead, and who owns them. All else is a directory. */
type Links = Record<string, [target: string, uid?: number]>;

const owned = (mode: number, uid = ME, isLink = false): Owned => ({ isLink, uid, mode });

function callsWith(links: Links, user: number | undefined = ME): TrustCalls {
  const target = (path: string) => links[path] ?? [path, ME];
  return {
    stat: (path) => immediate("stat", () => owned(0o755, target(path)[1] ?? ME, path in links)),
    // Enough to tell that there are links.
    realPath: (path) => immediate("realPath", () => Object.keys(links).length > 0 ? "/elsewhere" : path),
    readLink: (path) => immediate("readLink", () => target(path)[0]),
    userId: () => user,
  };
}

const find = (path: string, links: Links, user?: number) => runSync(locate(callsWith(links, user), path));

test("what its owner or the superuser alone can write is exposed to nobody", () => {
  const calls = callsWith({});
  for (const mode of [0o700, 0o755, 0o100644]) {
    assertEquals([exposureOf(owned(mode), calls), exposureOf(owned(mode, ROOT_USER), calls)], [undefined, undefined]);
  }
  for (const file of [owned(0o720), owned(0o702), owned(0o700, OTHER), owned(0o700, ME, true)]) {
    assertStrictEquals(typeof exposureOf(file, calls), "string");
  }
});

test("a system without modes tells nothing", () => {
  const calls = { ...callsWith({ "/a": ["/b", OTHER] }), userId: () => undefined };
  assertStrictEquals(exposureOf(owned(0o777, OTHER), calls), undefined);
  assertEquals(runSync(locate(calls, "/a")), { path: "/a" });
});

test("links of this user and the superuser are followed, however they lead", () => {
  assertEquals(find("/a/b", {}), { path: "/a/b" });
  const links: Links = {
    "/a": ["/x/y", ROOT_USER],
    "/x/y/b": ["../z"],
    "/x/z/c": ["./d/"],
    "/x/z/d": ["/", ROOT_USER],
  };
  assertEquals(find("/a/b/c/e", links), { path: "/e" });
  assertEquals(find("/a/b", links), { path: "/x/z" });
  assertEquals(find("/up", { "/up": ["../../.."] }), { path: "/" });
});

test("a link of another is told of, also where one of this user's leads to it", () => {
  for (const path of ["/tmp/link", "/tmp/link/below", "/mine", "/mine/below"]) {
    const { exposure } = find(path, { "/tmp/link": ["/home/other", OTHER], "/mine": ["tmp/link"] });
    assertStrictEquals(exposure, `its link /tmp/link belongs to user ${OTHER}`);
  }
});

test("links in a circle end", () => {
  const error = assertThrows(() => find("/a", { "/a": ["/b"], "/b": ["a"] }));
  assertStrictEquals(systemCode(error), "ELOOP");
});

test("a path that is not known to its start is not trusted", () => {
  const location = runSync(locate({ ...callsWith({ "/x": ["/y"] }) }, "relative/cache"));
  assertStrictEquals(typeof location.exposure, "string");
});
