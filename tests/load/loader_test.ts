// Loading by URL: what is asked of the network, what is kept, and what is said when it does not work.

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  CacheError,
  type Engine,
  hostEngine,
  type LoadOptions,
  ModuleCache,
  type ModuleCacheOptions,
} from "@wasm/module-cache";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { type Context, openContext, type Storage } from "../../src/context.ts";
import { pinsOf } from "../../src/load/integrity.ts";
import { isFresh, policyOf } from "../../src/load/policy.ts";
import { type Note, Shelf } from "../../src/load/kept.ts";
import { PROBE } from "../../src/v8/proof.ts";
import { type Answer, GZIP, WASM, withServer } from "../_server.ts";
import { bytes, EMPTY_MODULE, entriesIn, inDirectory, realModule, TextEngine, type TextModule } from "../_tools.ts";

const options = { timeout: 60_000 };
const FRESH = { ...WASM, "cache-control": "max-age=600" };
const STALE = { ...WASM, "cache-control": "max-age=0", etag: '"1"' };

/** Another module. */
const OTHER = Uint8Array.from([...EMPTY_MODULE, 0, 2, 1, 97]);

function sri(code: Uint8Array, algorithm = "sha256"): string {
  return `${algorithm}-${createHash(algorithm).update(code).digest("base64")}`;
}

/** A process of its own, as far as the cache can tell. */
function strict(directory?: string, more: ModuleCacheOptions = {}): ModuleCache {
  return new ModuleCache({ directory, strict: true, ...more });
}

/** Loads in a new cache each time, and tells what the server was asked: status of the validator, or "new". */
async function asks(
  answer: Answer | ((validator: string | undefined) => Answer),
  loads: LoadOptions[],
): Promise<string[]> {
  const log: string[] = [];
  await inDirectory((directory) =>
    withServer(({ headers }) => {
      const validator = headers["if-none-match"] ?? headers["if-modified-since"];
      log.push(String(validator ?? "new"));
      return typeof answer === "function" ? answer(validator) : answer;
    }, async ({ url }) => {
      for (const load of loads) {
        const cache = strict(directory);
        await cache.load(url, load).catch((error) => log.push(error.constructor.name));
        await cache.flush();
        log.push("|");
      }
    })
  );
  return log.join(" ").split(" |").map((part) => part.trim()).slice(0, -1);
}

test("a fresh response is not asked for again, by any process", options, async () => {
  assertEquals(await asks({ headers: FRESH, body: PROBE }, [{}, {}, {}]), ["new", "", ""]);
});

test(
  "code that comes by HTTP is written once, and a note of where it came from",
  options,
  () =>
    inDirectory((directory) =>
      withServer(() => ({ headers: FRESH, body: realModule("sqlite") }), async ({ url }) => {
        for (let i = 0; i < 10; i++) {
          const cache = strict(`${directory}/${i}`);
          await cache.load(url);
          await cache.flush();
          assertEquals([cache.stats().writes, entriesIn(`${directory}/${i}`).length], [2, 2]);
        }
      })
    ),
);

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

test("each mode asks as fetch has it", options, async () => {
  const all = (cache: LoadOptions["cache"]) => [{}, { cache }, { cache }];
  const fresh = { headers: FRESH, body: PROBE };
  const stale = (validator?: string) => validator ? { status: 304, headers: STALE } : { headers: STALE, body: PROBE };
  assertEquals(await asks(fresh, all("no-store")), ["new", "new", "new"]);
  assertEquals(await asks(fresh, [{ cache: "no-store" }, {}, {}]), ["new", "new", ""]);
  assertEquals(await asks(fresh, all("reload")), ["new", "new", "new"]);
  assertEquals(await asks(fresh, [{ cache: "reload" }, {}]), ["new", ""]);
  assertEquals(await asks(stale, all("no-cache")), ["new", '"1"', '"1"']);
  assertEquals(await asks(stale, all("force-cache")), ["new", "", ""]);
  assertEquals(await asks(stale, all("only-if-cached")), ["new", "", ""]);
  assertEquals(await asks(fresh, [{ cache: "only-if-cached" }]), ["TypeError"]);
});

test("what must not be kept, or varies by what runtimes say, is asked for each time", options, async () => {
  const wrong: Record<string, string>[] = [{ "cache-control": "no-store" }, { vary: "User-Agent" }, { vary: "*" }];
  for (const headers of wrong) {
    const log = await asks({ headers: { ...FRESH, ...headers }, body: PROBE }, [{}, { cache: "force-cache" }]);
    assertEquals(log, ["new", "new"]);
  }
  for (const vary of ["Accept-Encoding", "Authorization, Accept-Encoding", "Cookie, Origin"]) {
    assertEquals(await asks({ headers: { ...FRESH, vary }, body: PROBE }, [{}, {}]), ["new", ""]);
  }
  // What is pinned is kept all the same.
  for (const headers of wrong) {
    for (const integrity of [sri(PROBE), sri(PROBE, "sha384")]) {
      const log = await asks({ headers: { ...FRESH, ...headers }, body: PROBE }, [{ integrity }, { integrity }]);
      assertEquals(log, ["new", ""]);
    }
  }
});

test("with integrity nothing is asked once the code is there", options, async () => {
  for (const algorithm of ["sha256", "sha384", "sha512"]) {
    const load = { integrity: `sha256-${"A".repeat(43)}= ${sri(PROBE, algorithm)}` };
    const given = algorithm === "sha256" ? { integrity: sri(PROBE) } : load;
    assertEquals(await asks({ headers: STALE, body: PROBE }, [given, given]), ["new", ""]);
  }
  const wrong = { integrity: sri(OTHER) };
  assertEquals(await asks({ headers: FRESH, body: PROBE }, [wrong, wrong, {}]), [
    "new TypeError",
    "new TypeError",
    "new",
  ]);
});

test("what is kept of a URL is not taken for what integrity says", options, async () => {
  for (const algorithm of ["sha256", "sha512"]) {
    const wrong = { integrity: sri(OTHER, algorithm) };
    const modes = ["default", "force-cache", "no-cache"] as const;
    const loads = modes.map((cache) => ({ ...wrong, cache }));
    const log = await asks({ headers: FRESH, body: PROBE }, [{}, ...loads, { ...wrong, cache: "only-if-cached" }]);
    assertEquals(log, ["new", ...modes.map(() => "new TypeError"), "TypeError"]);
  }
  await withServer(() => ({ headers: FRESH, body: PROBE }), async ({ url }) => {
    const cache = strict();
    await cache.load(url);
    await assertRejects(() => cache.load(url, { integrity: sri(OTHER) }), TypeError);
    assert(await cache.load(url, { integrity: sri(PROBE) }));
  });
});

test("notes that make no sense are none", options, async () => {
  const policy = await policyOf(new Response("", { headers: FRESH }), Date.now);
  const digest = createHash("sha256").update(PROBE).digest("hex");
  const wrong: unknown[] = [
    { digest: 5, policy },
    { digest: "", policy },
    { digest: digest.toUpperCase(), policy },
    { digest, policy: { v: 1 } },
    { digest, policy: { v: 99 } },
    { digest, policy: 5 },
    { location: 5, policy },
    { location: "file:///etc/hostname", policy },
    null,
    [],
    "a text",
  ];
  for (const note of wrong) {
    await inDirectory((directory) =>
      withServer(() => ({ headers: FRESH, body: PROBE }), async ({ url, asked }) => {
        const context = openContext({ directory, strict: true });
        const shelf = new Shelf(context as unknown as Context<unknown>);
        await shelf.keepNote(`${url}/`, { toJSON: () => note } as Note);
        // Forged: another code under the digest that is pinned.
        const other = createHash("sha256").update(OTHER);
        await shelf.keepNote(`SHA-512 ${sri(PROBE, "sha512").slice(7).replace(/=+$/, "")}`, {
          digest: other.copy().digest("hex"),
        });
        await shelf.keepCode(OTHER, new Uint8Array(other.digest()));
        await (context.storage as Storage).behind.flush();
        const exportsOf = async (load: LoadOptions) =>
          WebAssembly.Module.exports(await strict(directory).load(url, load)).length;
        assertStrictEquals(await exportsOf({ cache: "force-cache" }), 2, JSON.stringify(note));
        assertStrictEquals(await exportsOf({ integrity: sri(PROBE, "sha512") }), 2);
        assert(asked.length >= 1);
      })
    );
  }
});

test("code that is kept is not taken for what integrity says where it was forged", options, async () => {
  await inDirectory((directory) =>
    withServer(() => ({ headers: FRESH, body: PROBE }), async ({ url, asked }) => {
      const cache = strict(directory);
      await cache.load(url, { integrity: sri(PROBE) });
      await cache.flush();
      for (const path of entriesIn(directory)) {
        const entry = readFileSync(path);
        entry[entry.length - 1]! ^= 1;
        writeFileSync(path, entry);
      }
      const warnings: CacheError[] = [];
      const other = new ModuleCache({ directory, onWarning: (warning) => warnings.push(warning) });
      assertStrictEquals(WebAssembly.Module.exports(await other.load(url, { integrity: sri(PROBE) })).length, 2);
      assertEquals([asked.length, warnings[0]?.code], [2, "CORRUPT"]);
      await other.flush();
      await strict(directory).load(url, { integrity: sri(PROBE) });
      assertStrictEquals(asked.length, 2);
    })
  );
});

test("where nobody answers, what is kept is used, with a warning", options, async () => {
  await inDirectory((directory) =>
    withServer(() => ({ headers: STALE, body: PROBE }), async ({ url, stop }) => {
      const cache = strict(directory);
      await cache.load(url);
      await cache.flush();
      await stop();
      const warnings: CacheError[] = [];
      const later = new ModuleCache({ directory, onWarning: (warning) => warnings.push(warning) });
      assertStrictEquals(WebAssembly.Module.exports(await later.load(url)).length, 2);
      assertEquals([warnings.length, warnings[0]?.code], [1, "NETWORK"]);
      await assertRejects(() => strict(directory).load(url), CacheError);
      await assertRejects(() => later.load(url, { cache: "reload" }), Error);
      await assertRejects(() => later.load(`${url}/other`), Error);
    })
  );
});

/** What becomes of a second load when the server answers it so: "kept", with a warning, or the error. */
async function second(
  cacheControl: string,
  status: number | "breaks" | "down",
  load: LoadOptions = {},
): Promise<string> {
  return await inDirectory((directory) => {
    let isFirst = true;
    return withServer(() => {
      const whole = { headers: { ...STALE, "cache-control": cacheControl }, body: PROBE };
      const broken = { headers: WASM, body: PROBE, breaksAt: 8 };
      const answered = isFirst ? whole : typeof status === "number" ? { status } : broken;
      isFirst = false;
      return answered;
    }, async ({ url, stop }) => {
      const cache = strict(directory);
      await cache.load(`${url}/a?secret`);
      await cache.flush();
      if (status === "down") await stop();
      const warnings: CacheError[] = [];
      const later = new ModuleCache({ directory, onWarning: (warning) => warnings.push(warning) });
      const module = await later.load(`${url}/a?secret`, load).catch((error) => error);
      if (module instanceof Error) return "error";
      assertEquals(warnings.map(({ code, message }) => [code, message.includes("secret")]), [["NETWORK", false]]);
      return "kept";
    });
  });
}

test("where the server fails, what is kept is used as it allows", options, async () => {
  for (const status of [500, 502, 503, 504] as const) {
    assertEquals(await second("max-age=0, stale-if-error=86400", status), "kept");
    assertEquals(await second("max-age=0", status), "kept");
    assertEquals(await second("no-cache", status), "kept");
    assertEquals(await second("max-age=0, stale-if-error=0", status), "error");
    assertEquals(await second("max-age=0, must-revalidate, stale-if-error=86400", status), "error");
  }
  for (const status of [400, 404, 410, 429, 501]) {
    assertEquals(await second("max-age=0, stale-if-error=86400", status), "error");
  }
  assertEquals(await second("max-age=0, stale-if-error=86400", 503, { cache: "no-cache" }), "error");
  for (const gone of ["down", "breaks"] as const) {
    assertEquals([gone, await second("max-age=0, stale-if-error=0", gone)], [gone, "kept"]);
    assertEquals([gone, await second("max-age=0, must-revalidate", gone)], [gone, "error"]);
    assertEquals([gone, await second("max-age=0", gone, { cache: "no-cache" })], [gone, "error"]);
  }
  assertEquals(await second("no-cache", "down"), "kept");
});

/** Tells whether a response is fresh some ms after it came. */
async function isFreshAfter(ms: number, headers: Record<string, string>, cameMs = Date.now()): Promise<boolean> {
  const policy = await policyOf(new Response("", { headers: { ...WASM, ...headers } }), () => cameMs);
  return policy !== undefined && await isFresh(policy, () => cameMs + ms);
}

test("what must be revalidated need not be while it is fresh", options, async () => {
  assertEquals(await isFreshAfter(999_000, { "cache-control": "max-age=1000, must-revalidate" }), true);
  assertEquals(await isFreshAfter(1_001_000, { "cache-control": "max-age=1000, must-revalidate" }), false);
});

test("age counts from when a response came, and where that is still to come it is stale", options, async () => {
  const year = { "cache-control": "max-age=31536000" };
  const [day, hour] = [86_400_000, 3_600_000];
  assertEquals([await isFreshAfter(0, year), await isFreshAfter(364 * day, year)], [true, true]);
  assertEquals([await isFreshAfter(366 * day, year), await isFreshAfter(-1, year)], [false, false]);
  // The clock was a year ahead, and was set right.
  assertEquals([await isFreshAfter(-366 * day, year), await isFreshAfter(-66 * day, year)], [false, false]);
  // Whatever the server's clock says.
  for (const date of [0, 4e12]) assert(await isFreshAfter(hour, { ...year, date: new Date(date).toUTCString() }));
  const hours = { "cache-control": "max-age=7200" };
  for (const age of ["-100000", "x", "", "1, 100000"]) {
    assertEquals([age, await isFreshAfter(hour, { ...hours, age })], [age, true]);
    assertEquals([age, await isFreshAfter(3 * hour, { ...hours, age })], [age, false]);
  }
  assertEquals(await isFreshAfter(hour, { ...hours, age: "3601" }), false);
});

test("directives of the server count in capitals too", options, async () => {
  assertEquals(
    await policyOf(new Response("", { headers: { ...WASM, "cache-control": "No-Store" } }), Date.now),
    undefined,
  );
  assertEquals(await isFreshAfter(0, { "cache-control": "Max-Age=600" }), true);
  assertEquals(await isFreshAfter(0, { "cache-control": "max-age=600, No-Cache" }), false);
  assertEquals(await second("max-age=0, Must-Revalidate", "down"), "error");
});

/** All that files below a directory hold, as text of one byte a character. */
function contentOf(directory: string): string {
  const paths = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return paths.map(({ name, parentPath }) => readFileSync(`${parentPath}/${name}`, "latin1")).join("\n");
}

test("no header but those of caching is written down, whatever is asked", options, async () => {
  const secrets = {
    "set-cookie": "session=hunter2",
    "authorization": "hunter2",
    "www-authenticate": "Basic hunter2",
    "authentication-info": "hunter2",
    "proxy-authenticate": "Basic hunter2",
    "x-secret": "hunter2",
    "location": "/next",
    "content-disposition": "attachment; filename=hunter2",
    "link": "<hunter2>; rel=preload",
    "warning": '199 - "hunter2"',
  };
  const answers: Record<string, Answer> = {
    "/code": { headers: { ...secrets, ...FRESH }, body: PROBE },
    "/stale": { headers: { ...secrets, ...STALE }, body: PROBE },
    "/packed": {
      headers: { ...secrets, ...FRESH, ...GZIP },
      body: gzipSync(PROBE),
    },
    "/moved": { status: 301, headers: { ...secrets, "cache-control": "max-age=600", location: "/code" } },
  };
  await inDirectory((directory) =>
    withServer(({ path, headers }) => {
      const isKnown = headers["if-none-match"] !== undefined;
      return isKnown ? { status: 304, headers: { ...secrets, ...STALE } } : answers[path]!;
    }, async ({ url, asked }) => {
      for (const path of [...Object.keys(answers), ...Object.keys(answers)]) {
        const cache = strict(directory);
        await cache.load(url + path);
        await cache.flush();
      }
      assertEquals(asked.length, 5);
      const content = contentOf(directory);
      assert(content.includes("max-age=600"));
      for (const secret of ["hunter2", "cookie", "authorization", "x-secret", "authenticate"]) {
        assertEquals([secret, content.includes(secret)], [secret, false]);
      }
    })
  );
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

test("code that is longer than the limit is not loaded, wherever it comes from", options, async () => {
  const code = realModule("sqlite");
  await inDirectory((directory) =>
    withServer(
      ({ path }) =>
        path === "/packed" ? { headers: { ...FRESH, ...GZIP }, body: gzipSync(code) } : { headers: FRESH, body: code },
      async ({ url }) => {
        const path = `${directory}/a.wasm`;
        writeFileSync(path, code);
        const base64 = `data:application/wasm;base64,${Buffer.from(code).toString("base64")}`;
        const urls = [`${url}/plain`, `${url}/packed`, pathToFileURL(path).href, base64];
        const integrity = sri(code);
        for (const engine of [undefined, new TextEngine()]) {
          const cache = new ModuleCache<unknown>({ engine, directory, strict: true, maxCodeBytes: code.length - 1 });
          for (const given of urls) {
            const error = await cache.load(given, { integrity }).catch((error) => error);
            assert(error instanceof RangeError && error.message.length < 300, `${given.slice(0, 50)}: ${error}`);
          }
          await cache.flush();
          assertEquals([entriesIn(directory), cache.stats().memoryEntries], [[], 0]);
          const exact = new ModuleCache<unknown>({ engine, maxCodeBytes: code.length });
          for (const given of urls) assert(await exact.load(given, { integrity }));
        }
        const cache = strict();
        if (existsSync("/dev/zero")) await assertRejects(() => cache.load("file:///dev/zero"), TypeError);
        await assertRejects(() => cache.load(pathToFileURL(directory)), TypeError);
      },
    )
  );
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
      return path.startsWith("/code") ? { headers: FRESH, body: PROBE } : { status: 302 };
    }, async ({ url }) => {
      for (const path of ["/moved", "/moved", "/found", "/found", "/signed", "/signed"]) {
        const cache = strict(directory);
        await cache.load(url + path);
        await cache.flush();
      }
      assertEquals(log, ["/moved", "/code", "/found", "/found", "/signed", "/code?secret", "/signed"]);
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

test("loads of one URL at once share one fetch, and one that gives up leaves the others theirs", options, async () => {
  await withServer(
    ({ path }) => ({ headers: WASM, body: PROBE, delayMs: path === "/slow" ? 5000 : 100 }),
    async ({ url, asked }) => {
      const cache = strict();
      const quitter = new AbortController();
      const loads = [cache.load(url), cache.load(new URL(url)), cache.load(`${url}/#part`)];
      const quitting = cache.load(url, { signal: quitter.signal });
      quitter.abort(new RangeError("enough"));
      assertStrictEquals((await quitting.catch((error) => error)).message, "enough");
      assertStrictEquals(new Set(await Promise.all(loads)).size, 1);
      assertStrictEquals(asked.length, 1);
      // Who gives up does not take the work from those who stay, nor from those who come.
      const leaver = new AbortController();
      const leaving = cache.load(url, { cache: "reload", signal: leaver.signal });
      const staying = cache.load(url, { cache: "reload" });
      leaver.abort();
      await leaving.catch(() => {});
      assertStrictEquals(await cache.load(url, { cache: "reload" }), await staying);
      assertStrictEquals(asked.length, 2);
      const alone = cache.load(`${url}/slow`, { signal: AbortSignal.timeout(100) });
      assertStrictEquals((await alone.catch((error) => error)).name, "TimeoutError");
      await assertRejects(() => cache.load(url, { signal: AbortSignal.abort(new RangeError("before")) }), RangeError);
    },
  );
});

test("without a directory, memory and HTTP decide", options, async () => {
  await withServer(() => ({ headers: FRESH, body: PROBE }), async ({ url, asked }) => {
    const cache = strict();
    const module = await cache.load(url);
    assertStrictEquals(await cache.load(url), module);
    assertEquals([asked.length, cache.stats().memoryHits], [1, 1]);
    cache.clearMemory();
    await cache.load(url);
    assertStrictEquals(asked.length, 2);
  });
});

test("an engine that keeps artifacts has its code kept too", options, async () => {
  await inDirectory((directory) =>
    withServer(() => ({ headers: FRESH, body: bytes("text") }), async ({ url, asked }) => {
      const load = async (secret?: Uint8Array) => {
        const engine = new TextEngine();
        const cache = new ModuleCache({ engine, directory, strict: true, secret });
        assertStrictEquals((await cache.load(url)).text, "text");
        await cache.flush();
        return [engine.compiles, asked.length, cache.stats().diskHits];
      };
      assertEquals([await load(), await load()], [[1, 1, 0], [0, 1, 1]]);
      await new ModuleCache({ engine: new TextEngine(), directory }).clear();
      assertEquals(await load(), [1, 2, 0]);
    })
  );
});

test("what one call must not write, the next that may writes, without a compile", options, async () => {
  const answers: Record<string, Answer> = {
    "/kept": { headers: FRESH, body: PROBE },
    "/no-store": { headers: { ...WASM, "cache-control": "no-store" }, body: PROBE },
  };
  const unkept: [string, LoadOptions][] = [["/kept", { cache: "no-store" }], ["/no-store", {}]];
  const digest = createHash("sha256").update(PROBE).digest("hex");
  const lookups: ((cache: ModuleCache<unknown>, url: string) => unknown)[] = [
    (cache) => cache.resolve(PROBE),
    (cache) => cache.resolve(PROBE, { digest }),
    (cache) => Promise.all([cache.resolve(PROBE), cache.resolve(PROBE)]),
    (cache) => cache.resolveSync(PROBE),
    (cache) => cache.compileStreaming(new Response(PROBE, { headers: WASM })),
    (cache, url) => cache.load(`${url}/kept`),
    (cache) => cache.warm([PROBE]),
  ];
  await withServer(({ path }) => answers[path]!, async ({ url }) => {
    for (const makeEngine of [() => hostEngine() as Engine<unknown>, () => new TextEngine()]) {
      for (const [path, load] of unkept) {
        for (const lookup of lookups) {
          await inDirectory(async (directory) => {
            const engine = makeEngine();
            const cache = new ModuleCache<unknown>({ engine, directory, strict: true });
            const module = await cache.load(url + path, load);
            await cache.flush();
            assertEquals(entriesIn(directory), []);
            await lookup(cache, url);
            await cache.flush();
            const isHit = (await new ModuleCache({ engine, directory, strict: true }).resolve(PROBE)).from;
            assertEquals([isHit, `${lookup}`], ["disk", `${lookup}`]);
            // Written once, and the module is the same still.
            const { writes } = cache.stats();
            const again = await cache.resolve(PROBE);
            await cache.flush();
            assertEquals([again.from, cache.stats().writes], ["memory", writes]);
            if (`${lookup}`.includes("resolve")) assertStrictEquals(again.module, module);
            if (engine instanceof TextEngine) assert(engine.compiles <= 2);
          });
        }
      }
    }
  });
});

test("a lookup that joins one that must not write writes", options, async () => {
  await inDirectory((directory) =>
    withServer(() => ({ headers: FRESH, body: PROBE }), async ({ url }) => {
      const landing = Promise.withResolvers<void>();
      const compiling = Promise.withResolvers<void>();
      const engine = new TextEngine();
      const slow: Engine<TextModule> = {
        id: "slow",
        compile: async (code) => {
          compiling.resolve();
          await landing.promise;
          return engine.compile(code);
        },
        serialize: () => engine.serialize({ text: "" }),
        deserialize: (artifact) => engine.deserialize(artifact),
      };
      const cache = new ModuleCache({ engine: slow, directory, strict: true });
      const loading = cache.load(url, { cache: "no-store" });
      await compiling.promise;
      const joining = [cache.resolve(PROBE), cache.resolve(PROBE)];
      landing.resolve();
      assertEquals(new Set([await loading, ...(await Promise.all(joining)).map(({ module }) => module)]).size, 1);
      assertEquals([entriesIn(directory).length, engine.compiles, cache.stats().writes], [1, 1, 1]);
    })
  );
});

test("a file is read again only when it changed", options, async () => {
  await inDirectory(async (directory) => {
    const [path, link] = [`${directory}/a.wasm`, `${directory}/b.wasm`];
    writeFileSync(path, PROBE);
    symlinkSync(path, link);
    utimesSync(path, 1000, 1000);
    const cache = strict();
    const exportsOf = async (url = pathToFileURL(path), load?: LoadOptions) =>
      WebAssembly.Module.exports(await cache.load(url, load)).length;
    assertEquals([await exportsOf(), await exportsOf(), await exportsOf(pathToFileURL(link))], [2, 2, 2]);
    // Same size and time, other bytes: what is not read is not seen.
    const changed = Uint8Array.from(PROBE);
    changed[changed.lastIndexOf(0x6a)] = 0x6b;
    const digests = cache.stats().compiled;
    writeFileSync(path, changed);
    utimesSync(path, 1000, 1000);
    await exportsOf();
    assertStrictEquals(cache.stats().compiled, digests);
    await exportsOf(undefined, { cache: "reload" });
    assertStrictEquals(cache.stats().compiled, digests + 1);
    utimesSync(path, 2000, 2000);
    writeFileSync(path, OTHER);
    assertStrictEquals(await exportsOf(), 0);
    assertStrictEquals(await exportsOf(undefined, { integrity: sri(OTHER) }), 0);
    await assertRejects(() => exportsOf(undefined, { integrity: sri(PROBE) }), TypeError);
    const entries = strict(`${directory}/cache`);
    await entries.load(pathToFileURL(path), { cache: "no-store" });
    await entries.flush();
    assertEquals(entriesIn(directory), []);
    await assertRejects(() => cache.load(pathToFileURL(`${directory}/none.wasm`)), Error);
  });
});

test("a file that was just written is read each time", options, async () => {
  await inDirectory(async (directory) => {
    const path = `${directory}/a.wasm`;
    const cache = strict();
    for (const code of [PROBE, Uint8Array.from(PROBE.with(PROBE.lastIndexOf(0x6a), 0x6b))]) {
      writeFileSync(path, code);
      await cache.load(pathToFileURL(path));
    }
    assertStrictEquals(cache.stats().compiled, 2);
  });
});

test("a data: URL is loaded", options, async () => {
  const cache = strict();
  const base64 = btoa(String.fromCharCode(...PROBE));
  const url = `data:application/wasm;base64,${base64}`;
  assertStrictEquals(await cache.load(url, { integrity: sri(PROBE) }), await cache.compile(PROBE));
  await assertRejects(() => cache.load(`data:text/html;base64,${base64}`), TypeError);
});

test("wrong arguments are TypeErrors", options, async () => {
  const cache = strict();
  await assertRejects(() => cache.load("relative.wasm"), TypeError);
  await assertRejects(() => cache.load("data:,", { cache: "sometimes" as never }), TypeError);
  await assertRejects(() => cache.load("data:,", { integrity: "md5-abc" }), TypeError);
  await assertRejects(() => cache.load("unknown:thing"), TypeError);
});

test("integrity is read as HTML has it: the strongest counts", options, () => {
  assertEquals(pinsOf(undefined), []);
  const [a, b] = [sri(PROBE, "sha512"), sri(OTHER, "sha512")];
  assertEquals(pinsOf(` ${sri(PROBE)}\n${a}?option ${b} `).map(({ algorithm }) => algorithm), ["SHA-512", "SHA-512"]);
});
