// Loading by HTTP: what is asked in each mode, redirects, users, types, and what is no code.

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { type CacheError, type LoadOptions, ModuleCache } from "@wasm/module-cache";
import { test } from "node:test";
import { native } from "../../src/engine/runtime.ts";
import { PROBE } from "../../src/v8/proof.ts";
import { type Answer, WASM, withServer } from "../_server.ts";
import { bytes, entriesIn, inDirectory } from "../_tools.ts";
import { asks, contentOf, FRESH, options, OTHER, sri, STALE, strict } from "./_loads.ts";

test("a fresh response is not asked for again, by any process", options, async () => {
  assertEquals(await asks({ headers: FRESH, body: PROBE }, [{}, {}, {}]), ["new", "", ""]);
});

test("a stale response is asked for with its validators, and used where it did not change", options, async () => {
  const answer = (validator?: string) => validator ? { status: 304, headers: STALE } : { headers: STALE, body: PROBE };
  assertEquals(await asks(answer, [{}, {}, {}]), ["new", '"1"', '"1"']);
  const date = "Sun, 01 Nov 2026 10:00:00 GMT";
  const modified = { ...WASM, "cache-control": "no-cache", "last-modified": date };
  const byDate = (validator?: string) =>
    validator ? { status: 304, headers: modified } : { headers: modified, body: PROBE };
  assertEquals(await asks(byDate, [{}, {}]), ["new", date]);
});

test("an answer that it did not change makes it fresh", options, async () => {
  const answer = (validator?: string) =>
    validator
      ? { status: 304, headers: { ...STALE, "cache-control": "max-age=600" } }
      : { headers: STALE, body: PROBE };
  assertEquals(await asks(answer, [{}, {}, {}]), ["new", '"1"', ""]);
});

test("a response that changed takes the place of the other", options, async () => {
  await inDirectory((directory) => {
    let body = PROBE;
    return withServer(() => ({ headers: STALE, body }), async ({ url, asked }) => {
      const exportsOf = async () => WebAssembly.Module.exports(await strict(directory).load(url)).length;
      assertStrictEquals(await exportsOf(), 2);
      body = OTHER;
      assertStrictEquals(await exportsOf(), 0);
      assertEquals(asked.length, 2);
    });
  });
});

test("a 304 that fits nothing that is kept is no answer", options, async () => {
  const body = () => validators.length < 2 ? PROBE : OTHER;
  const validators: unknown[] = [];
  await inDirectory((directory) =>
    withServer(({ headers }) => {
      validators.push(headers["if-none-match"]);
      return validators.at(-1) ? { status: 304, headers: { ...STALE, etag: '"2"' } } : { headers: STALE, body: body() };
    }, async ({ url }) => {
      for (const exports of [2, 0]) {
        const cache = strict(directory);
        assertStrictEquals(WebAssembly.Module.exports(await cache.load(url)).length, exports);
        await cache.flush();
      }
      assertEquals(validators, [undefined, '"1"', undefined]);
    })
  );
});

test("code is compiled while it arrives", options, async () => {
  await withServer(() => ({ headers: FRESH, body: PROBE }), async ({ url }) => {
    const { compileStreaming } = native;
    let compiles = 0;
    Object.assign(native, { compileStreaming: (response: Response) => (compiles++, compileStreaming!(response)) });
    try {
      await strict().load(url);
    } finally {
      Object.assign(native, { compileStreaming });
    }
    assertStrictEquals(compiles, 1);
  });
});

test("every request says what it accepts", options, async () => {
  await inDirectory((directory) =>
    withServer(() => ({ headers: STALE, body: PROBE }), async ({ url, asked }) => {
      for (let i = 0; i < 2; i++) {
        const cache = strict(directory);
        await cache.load(url);
        await cache.flush();
      }
      assertEquals(asked.map(({ headers }) => headers.accept), ["application/wasm", "application/wasm"]);
    })
  );
});

test("a load that is given up while it asks warns of nothing, and changes nothing", options, async () => {
  await inDirectory((directory) => {
    const revalidating = Promise.withResolvers<void>();
    return withServer(({ headers }) => {
      if (!headers["if-none-match"]) return { headers: STALE, body: PROBE };
      revalidating.resolve();
      return { headers: STALE, body: OTHER, delayMs: 10_000 };
    }, async ({ url }) => {
      const first = strict(directory);
      await first.load(url);
      await first.flush();
      const warnings: CacheError[] = [];
      const cache = new ModuleCache({ directory, onWarning: (warning) => warnings.push(warning) });
      const quitter = new AbortController();
      const loading = cache.load(url, { signal: quitter.signal });
      await revalidating.promise;
      quitter.abort(new RangeError("enough"));
      await assertRejects(() => loading, RangeError, "enough");
      // The work itself ends some time after: another load has begun and ended by then.
      await cache.load(url, { cache: "force-cache" });
      assertEquals(warnings, []);
    });
  });
});

test("each mode asks as fetch has it", options, async () => {
  const all = (cache: LoadOptions["cache"]) => [{}, { cache }, { cache }];
  const fresh = { headers: FRESH, body: PROBE };
  const stale = (validator?: string) => validator ? { status: 304, headers: STALE } : { headers: STALE, body: PROBE };
  assertEquals(await asks(fresh, all("no-store")), ["new", "new", "new"]);
  assertEquals(await asks(fresh, [{ cache: "no-store" }, {}, {}]), ["new", "new", ""]);
  assertEquals(await asks(fresh, all("reload")), ["new", "new", "new"]);
  for (const mode of ["no-store", "reload"] as const) assertEquals(await asks(stale, all(mode)), ["new", "new", "new"]);
  assertEquals(await asks(fresh, [{ cache: "reload" }, {}]), ["new", ""]);
  assertEquals(await asks(stale, all("no-cache")), ["new", '"1"', '"1"']);
  assertEquals(await asks(stale, all("force-cache")), ["new", "", ""]);
  assertEquals(await asks(stale, all("only-if-cached")), ["new", "", ""]);
  assertEquals(await asks(fresh, [{ cache: "only-if-cached" }]), ["TypeError"]);
});

/** Where a redirect must not lead, nor be shown whole. */
const ASTRAY = [
  "http://user:hunter2@[bad/",
  "http://user:hunter2@h:99999/x",
  "javascript:hunter2",
  "ftp://user:hunter2@h/x",
];

test("a user in a URL is not written down, nor shown, and leads no other load", options, async () => {
  await inDirectory(async (directory) => {
    let origin = "";
    await withServer(({ path }): Answer => {
      const location = `${origin.replace("//", "//user:hunter2@")}/code`;
      if (path.startsWith("/astray")) return { status: 307, headers: { location: ASTRAY[Number(path.slice(7))]! } };
      if (path === "/moved") return { status: 301, headers: { location, "cache-control": "max-age=600" } };
      return path === "/code" ? { headers: FRESH, body: PROBE } : { status: 404 };
    }, async ({ url, asked, stop }) => {
      origin = url;
      const withUser = url.replace("//", "//user:hunter2@");
      const takesUser = (() => {
        try {
          return new Request(withUser) !== undefined;
        } catch {
          return false;
        }
      })();
      const said: unknown[] = [];
      const onWarning = (warning: CacheError) => said.push(warning.message, warning.cause);
      const load = async (url: string) => {
        const cache = new ModuleCache({ directory, onWarning });
        const result = await cache.load(url).catch((error) => error);
        await cache.flush();
        if (!(result instanceof Error)) return "module";
        said.push(result.message, result.cause, result.stack, JSON.stringify(result));
        return result.constructor.name;
      };
      const expected = takesUser ? "module" : "TypeError";
      const escaped = url.replace("//", "//%C3%A4:a%2Fb@");
      assertEquals(await load(`${escaped}/code`), expected);
      if (takesUser) assertEquals(asked.pop()!.headers.authorization, `Basic ${btoa("\xc3\xa4:a/b")}`);
      for (const from of [`${url}/moved`, `${withUser}/code`]) {
        assertEquals([await load(from), await load(from)], [expected, expected]);
      }
      // Nothing was kept of what came with a user.
      assertEquals(asked.map(({ path }) => path).filter((path) => path === "/code").length, takesUser ? 4 : 0);
      if (takesUser) {
        const basic = `Basic ${btoa("user:hunter2")}`;
        assertEquals(new Set(asked.slice(1).map(({ headers }) => headers.authorization)).has(basic), true);
      }
      await load(`${withUser}/missing`);
      await load(`http://user:hunter2@\0`);
      for (const i of ASTRAY.keys()) assertEquals(await load(`${withUser}/astray${i}`), "TypeError");
      for (const i of ASTRAY.keys()) assertEquals(await load(`${url}/astray${i}`), "TypeError");
      for (const protocol of ["ftp", "wss", "foo"]) {
        assertEquals(await load(`${protocol}://user:hunter2@127.0.0.1/x`), "TypeError");
      }
      assertThrows(() => new ModuleCache({ directory: new URL(withUser) }), TypeError, "not one of http:");
      await stop();
      await load(`${withUser}/code`);
      assertEquals(said.filter((text) => String(text).includes("hunter2")), []);
    });
    assertEquals([contentOf(directory).includes("hunter2"), entriesIn(directory)], [false, []]);
  });
});

test("code of any type is taken where that was asked for, or integrity is given", options, async () => {
  const answer = { headers: { ...FRESH, "content-type": "application/octet-stream" }, body: PROBE };
  const any = { type: "any" } as const;
  assertEquals(await asks(answer, [{}, any, any, {}]), ["new TypeError", "new", "", "new TypeError"]);
  const integrity = sri(PROBE);
  assertEquals(await asks(answer, [{ integrity }, { integrity }, any, {}]), ["new", "", "", "new TypeError"]);
  assertEquals(await asks({ headers: FRESH, body: PROBE }, [any, {}, any]), ["new", "", ""]);
  const cache = strict();
  const data = `data:text/plain;base64,${btoa(String.fromCharCode(...PROBE))}`;
  await assertRejects(() => cache.load(data), TypeError);
  assertStrictEquals(await cache.load(data, any), await cache.load(data, { integrity }));
  await assertRejects(() => cache.load(data, { type: "all" as never }), TypeError);
});

test("redirects are followed, and kept by their own rules", options, async () => {
  const log: string[] = [];
  await inDirectory((directory) =>
    withServer(({ path }): Answer => {
      log.push(path);
      if (path === "/moved") return { status: 301, headers: { location: "/code", "cache-control": "max-age=600" } };
      if (path === "/found") return { status: 302, headers: { location: "/moved" } };
      if (path === "/signed") {
        return { status: 301, headers: { location: "/code?secret", "cache-control": "max-age=600" } };
      }
      if (path === "/around") {
        return { status: 302, headers: { location: "/around" } };
      }
      if (path === "/file") return { status: 302, headers: { location: "file:///etc/passwd" } };
      if (path === "/part") {
        return { status: 308, headers: { location: "/code-2#part", "cache-control": "max-age=600" } };
      }
      if (path === "/dated") {
        const headers = { location: "/code", "last-modified": "Sun, 01 Nov 2020 10:00:00 GMT" };
        return { status: 303, headers };
      }
      return path.startsWith("/code") ? { headers: FRESH, body: PROBE } : { status: 302 };
    }, async ({ url }) => {
      const paths = ["/moved", "/found", "/signed"].flatMap((path) => [path, path]);
      for (const path of [...paths, "/part", "/part", "/code-2", "/dated", "/dated"]) {
        const cache = strict(directory);
        assertStrictEquals(WebAssembly.Module.exports(await cache.load(url + path)).length, 2);
        await cache.flush();
      }
      assertEquals(log.splice(0), [
        ...["/moved", "/code", "/found", "/found", "/signed", "/code?secret", "/signed"],
        // What follows a # is none of the server's, and without a time of its own such a redirect is not kept.
        ...["/part", "/code-2", "/dated", "/dated"],
      ]);
      for (const path of ["/around", "/file", "/nowhere"]) {
        await assertRejects(() => strict(directory).load(url + path), TypeError);
      }
    })
  );
});

test("what is not code is a clear error, and nothing is kept", options, async () => {
  const answers: Record<string, Answer> = {
    "/missing": { status: 404, headers: FRESH, body: PROBE },
    "/failed": { status: 500, headers: FRESH, body: PROBE },
    "/html": { headers: { ...FRESH, "content-type": "text/html" }, body: PROBE },
    "/no-type": { headers: { "cache-control": "max-age=600" }, body: PROBE },
    "/wrong": { headers: FRESH, body: bytes("no wasm") },
    "/breaks": { headers: FRESH, body: new Uint8Array(500_000), breaksAt: 100_000 },
  };
  await inDirectory((directory) =>
    withServer(({ path }) => answers[path]!, async ({ url }) => {
      const cache = strict(directory);
      for (const path of Object.keys(answers)) {
        const error = await cache.load(url + path).catch((error) => error);
        const isCompile = path === "/wrong";
        assert(error instanceof (isCompile ? WebAssembly.CompileError : Error), `${path}: ${error}`);
        assertStrictEquals(error instanceof WebAssembly.CompileError, isCompile, `${path}: ${error}`);
      }
      await cache.flush();
      assertEquals(entriesIn(directory), []);
    })
  );
});
