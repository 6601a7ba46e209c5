// What is kept of a load: notes and code, what is written down of each, and what of it is believed.

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { CacheError, type Engine, hostEngine, type LoadOptions, ModuleCache } from "@wasm/module-cache";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { type Context, openContext, type Storage } from "../../src/context.ts";
import { policyOf } from "../../src/load/policy.ts";
import { Kept, type Note } from "../../src/load/kept.ts";
import { PROBE } from "../../src/v8/proof.ts";
import { type Answer, GZIP, WASM, withServer } from "../_server.ts";
import { bytes, entriesIn, inDirectory, realModule, TextEngine, type TextModule } from "../_tools.ts";
import { withWatches } from "../faults/_runtime_calls.ts";
import { Watch } from "../faults/_watch.ts";
import { contentOf, FRESH, options, OTHER, sri, STALE, strict } from "./_loads.ts";

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

test("notes that make no sense are none", options, async () => {
  const policy = await policyOf(new Response("", { headers: FRESH }), Date.now);
  const digest = createHash("sha256").update(PROBE).digest("hex");
  const wrong: unknown[] = [
    { digest: 5, policy },
    { digest: "", policy },
    { digest: digest.toUpperCase(), policy },
    { digest, policy: { v: 1 } },
    { digest, policy: { v: 99 } },
    { digest, policy: { v: 1, t: 0, rescc: {} } },
    { digest, policy: { ...policy, t: "0" } },
    { digest, policy: { ...policy, rescc: null } },
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
        const shelf = new Kept(context as unknown as Context<unknown>);
        await shelf.keepNote(`${url}/`, { toJSON: () => note } as Note);
        // Forged: another code under the digest that is pinned.
        const other = createHash("sha256").update(OTHER);
        await shelf.keepNote(`SHA-512 ${sri(PROBE, "sha512").slice(7).replace(/=+$/, "")}`, {
          digest: other.copy().digest("hex"),
        });
        await shelf.keepCode(PROBE, new Uint8Array(createHash("sha256").update(PROBE).digest()));
        await shelf.keepCode(OTHER, new Uint8Array(other.digest()));
        await (context.storage as Storage).behind.flush();
        const exportsOf = async (load: LoadOptions) =>
          WebAssembly.Module.exports(await strict(directory).load(url, load)).length;
        assertStrictEquals(await exportsOf({}), 2, JSON.stringify(note));
        assertStrictEquals(await exportsOf({ cache: "force-cache" }), 2, JSON.stringify(note));
        assertStrictEquals(await exportsOf({ integrity: sri(PROBE, "sha512") }), 2);
        assert(asked.length >= 1);
      })
    );
  }
});

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

test("a load sees what another has still to write", options, async () => {
  await inDirectory((directory) =>
    withServer(() => ({ headers: FRESH, body: realModule("sqlite") }), async ({ url, asked }) => {
      const cache = strict(directory);
      await cache.load(url);
      cache.clearMemory();
      await cache.load(url);
      assertEquals([asked.length, cache.stats().diskHits, cache.stats().compiled], [1, 1, 1]);
      await cache.flush();
    })
  );
});

test("a cache that must not write loads, and writes nothing", options, async () => {
  await inDirectory((directory) =>
    withServer(() => ({ headers: FRESH, body: PROBE }), async ({ url, asked }) => {
      for (const integrity of [undefined, sri(PROBE, "sha384")]) {
        const cache = strict(`${directory}/cache`, { readOnly: true });
        assert(await cache.load(url, { integrity }));
        await cache.flush();
        assertEquals([cache.stats().writes, cache.stats().writeFailures, existsSync(`${directory}/cache`)], [
          0,
          0,
          false,
        ]);
      }
      assertStrictEquals(asked.length, 2);
    })
  );
});

test("a note or code that cannot be read costs a request, and one warning", options, async () => {
  await inDirectory((directory) =>
    withWatches(() =>
      withServer(() => ({ headers: FRESH, body: PROBE }), async ({ url, asked }) => {
        const first = strict(directory);
        await first.load(url);
        await first.flush();
        for (const isStrict of [false, true]) {
          const warnings: CacheError[] = [];
          const onWarning = (warning: CacheError) => warnings.push(warning);
          const cache = new ModuleCache({ directory, strict: isStrict, onWarning });
          const watch = new Watch(directory, (_at, { label }) => label === "open entry" ? "EIO" : undefined);
          await watch.during(async () => {
            if (isStrict) await assertRejects(() => cache.load(url), CacheError);
            else assertStrictEquals(WebAssembly.Module.exports(await cache.load(url)).length, 2);
            await cache.flush();
          });
          assertEquals(warnings.map(({ code }) => code), isStrict ? [] : ["IO"]);
        }
        assertStrictEquals(asked.length, 2);
      })
    )
  );
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
      const joining = Array.from({ length: 8 }, () => cache.resolve(PROBE));
      landing.resolve();
      assertEquals(new Set([await loading, ...(await Promise.all(joining)).map(({ module }) => module)]).size, 1);
      assertEquals([entriesIn(directory).length, engine.compiles, cache.stats().writes], [1, 1, 1]);
    })
  );
});
