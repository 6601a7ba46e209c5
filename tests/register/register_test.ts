// What `register` puts in the place of the runtime's calls must not be told from them but by speed.

import { assert, assertEquals, assertMatch, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { v8Engine } from "@wasm/module-cache/v8";
import { register, unregister } from "../../src/register/register.ts";
import { WASM, withServer } from "../_server.ts";
import { bytes, EMPTY_MODULE, inDirectory, realModule, ROOT, runScript, runtimes, thisRuntime } from "../_tools.ts";

// What is compiled in this process is kept in memory only.
process.env.WASM_CACHE_ENGINE = "host";
// The module below is small.
process.env.WASM_CACHE_MIN_BYTES = "4096";

const options = { timeout: 60_000 };
const NAMES = ["compile", "compileStreaming", "instantiate", "instantiateStreaming", "Module"] as const;

// The runtime's own, before anything is replaced.
const native = Object.fromEntries(NAMES.map((name) => [name, WebAssembly[name]])) as Pick<
  typeof WebAssembly,
  typeof NAMES[number]
>;

/** A module that is worth a lookup: imports a function, and exports one that calls it. */
const CODE = Uint8Array.from([
  ...[...EMPTY_MODULE, 1, 4, 1, 0x60, 0, 0, 2, 7, 1, 1, 97, 1, 98, 0, 0, 3, 2, 1, 0],
  ...[7, 5, 1, 1, 99, 0, 1, 10, 6, 1, 4, 0, 0x10, 0, 0x0b],
  ...[0, 0x85, 0x40, 1, 97, ...new Uint8Array(8195)],
]);
const IMPORTS = { a: { b: () => {} } };

/** Runs a body with the calls replaced. */
async function registered<T>(body: () => T | Promise<T>): Promise<T> {
  register();
  try {
    return await body();
  } finally {
    unregister();
  }
}

/** What is said of each of the namespace's properties. */
function shape(): unknown {
  const names = Reflect.ownKeys(WebAssembly).map(String);
  return names.map((name) => {
    const { value, get, ...rest } = Object.getOwnPropertyDescriptor(WebAssembly, name) ?? {};
    const own = typeof value === "function" ? Reflect.ownKeys(value).map(String) : [];
    const prototype = typeof value === "function" && value.prototype;
    const constructs = prototype ? Object.getOwnPropertyDescriptor(prototype, "constructor")?.enumerable : undefined;
    return { name, rest, own, type: typeof value, fn: [value?.name, value?.length], constructs, hasGet: !!get };
  });
}

test("the namespace looks as before", options, async () => {
  const before = shape();
  await registered(() => {
    assertEquals(shape(), before);
    for (const name of NAMES) assert(WebAssembly[name] !== native[name], name);
    assertStrictEquals(WebAssembly.Module.prototype, native.Module.prototype);
    assertStrictEquals(WebAssembly.Module.prototype.constructor, WebAssembly.Module);
    assertStrictEquals(Object.getPrototypeOf(WebAssembly.Module), Object.getPrototypeOf(native.Module));
    assertThrows(() => Reflect.construct(WebAssembly.compile, [CODE]), TypeError);
    assertThrows(() => (WebAssembly.Module as unknown as (code: unknown) => unknown)(CODE), TypeError);
  });
  assertEquals(shape(), before);
  for (const name of NAMES) assertStrictEquals(WebAssembly[name], native[name]);
  assertStrictEquals(WebAssembly.Module.prototype.constructor, native.Module);
});

/** What a call came to, comparable. */
async function outcome(call: () => unknown): Promise<unknown> {
  let result;
  try {
    result = call();
  } catch (error) {
    return ["throws", (error as Error).constructor.name, error instanceof Error];
  }
  if (!(result instanceof Promise)) return ["gives", described(result)];
  try {
    return ["resolves", described(await result)];
  } catch (error) {
    return ["rejects", (error as Error).constructor.name, messageOf(error as Error)];
  }
}

/** JavaScriptCore adds the source of the call; V8 has two texts for what is empty. */
function messageOf({ message }: Error): string {
  return message.replace("BufferSource argument is empty", "expected 4 bytes, fell off end @+0").replace(
    / \(evaluating .*\)$/,
    "",
  ).replace(/\d+/g, "n");
}

function described(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const keys = Reflect.ownKeys(value).map((key) => {
    const { value: of, ...rest } = Object.getOwnPropertyDescriptor(value, key)!;
    return [String(key), Object.prototype.toString.call(of), rest];
  });
  return [Object.prototype.toString.call(value), Object.getPrototypeOf(value) === Object.prototype, keys];
}

/** Arguments that calls are tried with; made anew for each call. */
const CODES: Record<string, () => unknown> = {
  "a view": () => CODE.slice(),
  "a buffer": () => CODE.slice().buffer,
  "a part of a buffer": () => new Uint8Array([...CODE, 1, 2, 3, 4]).subarray(0, CODE.length),
  "a DataView": () => new DataView(CODE.slice().buffer),
  "another kind of view": () => new Float32Array(new Uint8Array([...CODE, ...pad(CODE.length)]).buffer),
  "a shared buffer": () => {
    const shared = new Uint8Array(new SharedArrayBuffer(CODE.length));
    shared.set(CODE);
    return shared;
  },
  "a resizable buffer": () => {
    const resizable = new Uint8Array(new (ArrayBuffer as ResizableClass)(CODE.length, { maxByteLength: 20_000 }));
    resizable.set(CODE);
    return resizable;
  },
  "a detached buffer": () => {
    const code = CODE.slice();
    structuredClone(code.buffer, { transfer: [code.buffer] });
    return code;
  },
  "a tiny module": () => EMPTY_MODULE.slice(),
  "no module": () => bytes("no wasm ".repeat(1000)),
  "a broken module": () => CODE.slice(0, 5000),
  "nothing": () => undefined,
  "null": () => null,
  "a text": () => "x".repeat(5000),
  "an object": () => ({ byteLength: 5000, buffer: CODE.buffer }),
  "an array": () => [...CODE],
  "a module": () => new native.Module(CODE),
};

type ResizableClass = new (length: number, options: { maxByteLength: number }) => ArrayBuffer;

/** Bytes of an empty custom section, so that the length is one of whole words. */
function pad(length: number): number[] {
  const missing = (4 - length % 4) % 4;
  return missing === 0 ? [] : [0, missing + 2, 1, 97, ...Array(missing).fill(0)].slice(0, missing + 4);
}

test("calls give, throw, resolve and reject as before, whatever the arguments", options, async () => {
  const calls: Record<string, (code: unknown) => unknown> = {
    compile: (code) => WebAssembly.compile(code as BufferSource),
    "compile without this": (code) => (0, WebAssembly.compile)(code as BufferSource),
    Module: (code) => new WebAssembly.Module(code as BufferSource),
    instantiate: (code) => WebAssembly.instantiate(code as BufferSource, IMPORTS),
    "instantiate without imports": (code) => WebAssembly.instantiate(code as BufferSource),
    "instantiate with a number": (code) => WebAssembly.instantiate(code as BufferSource, 1 as never),
    "instantiate with null": (code) => WebAssembly.instantiate(code as BufferSource, null as never),
    "instantiate with a function": (code) =>
      WebAssembly.instantiate(code as BufferSource, Object.assign(() => {}, IMPORTS) as never),
    "instantiate with wrong imports": (code) => WebAssembly.instantiate(code as BufferSource, { a: { b: 1 } }),
    "instantiate with a getter that throws": (code) =>
      WebAssembly.instantiate(code as BufferSource, {
        get a(): never {
          throw new RangeError("mine");
        },
      }),
    compileStreaming: (code) => WebAssembly.compileStreaming(code as Response),
    "compileStreaming of a response": (code) =>
      WebAssembly.compileStreaming(new Response(code as BodyInit, { headers: WASM })),
    "compileStreaming of another type": (code) => WebAssembly.compileStreaming(new Response(code as BodyInit)),
    "compileStreaming of a failure": (code) =>
      WebAssembly.compileStreaming(new Response(code as BodyInit, { headers: WASM, status: 404 })),
    "instantiateStreaming of a response": (code) =>
      WebAssembly.instantiateStreaming(Promise.resolve(new Response(code as BodyInit, { headers: WASM })), IMPORTS),
    "instantiateStreaming of a rejection": () =>
      WebAssembly.instantiateStreaming(Promise.reject(new RangeError("mine"))),
  };
  for (const [callName, call] of Object.entries(calls)) {
    for (const [codeName, code] of Object.entries(CODES)) {
      const expected = await outcome(() => call(code()));
      // Once cold, once from memory.
      for (const time of ["first", "second"]) {
        const found = await registered(() => outcome(() => call(code())));
        assertEquals(found, expected, `${callName} of ${codeName}, ${time}`);
      }
    }
  }
});

/** Responses that the runtimes judge differently; made anew for each call. */
const RESPONSES: Record<string, () => unknown> = {
  ...Object.fromEntries(
    [
      ...["application/wasm", "APPLICATION/WASM", "application/wasm ", "\tapplication/wasm", "application/wasm;"],
      ...["application/wasm; charset=utf-8", "application/wasm, application/wasm", "text/html", ""],
    ].map((
      type,
    ) => [`the type ${JSON.stringify(type)}`, () => new Response(CODE, { headers: { "content-type": type } })]),
  ),
  "no type": () => new Response(CODE),
  "a failure": () => new Response(CODE, { headers: WASM, status: 500 }),
  "a failure of no type": () => new Response(CODE, { status: 404 }),
  "an error": () => Response.error(),
  "no body": () => new Response(null, { headers: WASM, status: 204 }),
  "a body that was read": async () => {
    const response = wasmResponse();
    await response.arrayBuffer();
    return response;
  },
  "a body that is being read": () => {
    const response = wasmResponse();
    response.body!.getReader();
    return response;
  },
  "a response of a class of its own": () => new (class extends Response {})(CODE, { headers: WASM }),
  "a response that says otherwise": () =>
    Object.defineProperty(wasmResponse(), "headers", { value: new Headers({ "content-type": "text/html" }) }),
  "a response that says so": () => Object.defineProperty(new Response(CODE), "headers", { value: new Headers(WASM) }),
  "a response of no class": () => Object.setPrototypeOf(wasmResponse(), null),
  "what only looks like one": () => Object.create(Response.prototype),
  "a proxy of one": () => new Proxy(wasmResponse(), {}),
  "a thenable": () => ({ then: (take: (response: Response) => void) => take(wasmResponse()) }),
  "a rejection": () => Promise.reject(new RangeError("mine")),
};

function wasmResponse(): Response {
  return new Response(CODE, { headers: WASM });
}

test("the runtime itself judges every response that is not beyond doubt", options, async () => {
  const answers = async () => {
    const found: Record<string, unknown> = {};
    for (const [name, response] of Object.entries(RESPONSES)) {
      for (const call of ["compileStreaming", "instantiateStreaming"] as const) {
        const source = response() as Response;
        const answer: Promise<unknown> = call === "compileStreaming"
          ? WebAssembly.compileStreaming(source)
          : WebAssembly.instantiateStreaming(source, IMPORTS);
        found[`${call} of ${name}`] = await answer.then(
          described,
          ({ constructor, code, message }) => [constructor.name, code, message.replace(/ \(evaluating .*\)$/, "")],
        );
      }
    }
    return found;
  };
  const expected = await answers();
  assertEquals(await registered(answers), expected);
  process.env.WASM_CACHE_STRICT = "1";
  try {
    assertEquals(await registered(answers), expected);
  } finally {
    delete process.env.WASM_CACHE_STRICT;
  }
});

test("what comes of a response is looked at as often as by the runtime", options, async () => {
  const looks = async () => {
    let looks = 0;
    const source = {
      get then() {
        return void looks++;
      },
    };
    await WebAssembly.compileStreaming(source as never).catch(() => {});
    await WebAssembly.compileStreaming(Promise.resolve(source) as never).catch(() => {});
    return looks;
  };
  assertEquals(await registered(looks), await looks());
});

test("modules are distinct, and of the one class, however they came", options, () =>
  registered(async () => {
    const code = CODE.slice();
    const modules = [
      new WebAssembly.Module(code),
      new WebAssembly.Module(code),
      await WebAssembly.compile(code),
      (await WebAssembly.instantiate(code, IMPORTS)).module,
      await WebAssembly.compileStreaming(new Response(code, { headers: WASM })),
      structuredClone(new WebAssembly.Module(code)),
    ];
    assertStrictEquals(new Set(modules).size, modules.length);
    for (const module of modules) {
      assert(module instanceof WebAssembly.Module && module instanceof native.Module);
      assertStrictEquals(module.constructor, WebAssembly.Module);
      assertStrictEquals(Object.prototype.toString.call(module), "[object WebAssembly.Module]");
      assert(new WebAssembly.Instance(module, IMPORTS) instanceof WebAssembly.Instance);
      assertEquals(WebAssembly.Module.exports(module), [{ name: "c", kind: "function" }]);
      assertStrictEquals(WebAssembly.Module.customSections(module, "a").length, 1);
    }
  }));

test("a module that a faster call was given is not given again", options, () =>
  registered(async () => {
    for (let i = 0; i < 5; i++) {
      const code = Uint8Array.from([...CODE, 0, 3, 1, 99, i]);
      const compiling = WebAssembly.compile(code);
      const modules = [new WebAssembly.Module(code), new WebAssembly.Module(code), await compiling];
      assertStrictEquals(new Set(modules).size, 3);
    }
  }));

test("a class that extends Module is made as ever", options, () =>
  registered(() => {
    class Named extends WebAssembly.Module {
      readonly title = "mine";
    }
    const module = new Named(CODE);
    assert(module instanceof Named && module instanceof WebAssembly.Module);
    assertEquals([module.title, module.constructor], ["mine", Named]);
    const other = Reflect.construct(WebAssembly.Module, [CODE], Named);
    assertStrictEquals(Object.getPrototypeOf(other), Named.prototype);
  }));

test("what the caller does to the code after the call changes nothing", options, () =>
  registered(async () => {
    for (let i = 0; i < 2; i++) {
      const code = Uint8Array.from([...CODE, 0, 3, 1, 98, i]);
      const compiling = [WebAssembly.compile(code), WebAssembly.instantiate(code, IMPORTS)];
      code.fill(0);
      await Promise.all(compiling);
      assertThrows(() => new WebAssembly.Module(code), WebAssembly.CompileError);
    }
  }));

test("options go to the runtime, read as often as it reads them", options, async () => {
  const reads = async () => {
    const log: string[] = [];
    const bag = new Proxy({}, {
      get: (_target, name) => void log.push(String(name)),
    });
    const call = WebAssembly.compile as unknown as (code: unknown, options: unknown) => Promise<unknown>;
    await call(CODE, bag);
    new (WebAssembly.Module as unknown as new (code: unknown, options: unknown) => unknown)(CODE, bag);
    return log;
  };
  assertEquals(await registered(reads), await reads());
});

test("putting it back twice, or in another order, harms nothing", options, async () => {
  register();
  register();
  const ours = WebAssembly.compile;
  const theirs = (...given: Parameters<typeof ours>) => ours(...given);
  WebAssembly.compile = theirs as typeof ours;
  unregister();
  unregister();
  assertStrictEquals(WebAssembly.compile, theirs);
  assert(await WebAssembly.compile(CODE) instanceof WebAssembly.Module);
  WebAssembly.compile = native.compile;
});

test(
  "a namespace that is frozen meanwhile stays, and comes to the runtime until it is registered again",
  options,
  () =>
    withProgram(
      `
    const { register, unregister } = await import(ROOT + "/register.ts");
    new WebAssembly.Module(CODE);
    Object.freeze(WebAssembly);
    unregister();
    new WebAssembly.Module(CODE);
    console.log(WebAssembly.Module.prototype.constructor === WebAssembly.Module);
    register();
    new WebAssembly.Module(CODE);
    unregister();
    console.log(await WebAssembly.compile(CODE) instanceof WebAssembly.Module);
  `,
      ({ out, from }) => assertEquals([out, from], ["true\ntrue", ["compiled", "memory"]]),
    ),
);

test("attributes that somebody changed meanwhile stay", options, () =>
  withProgram(
    `
    const { compile } = WebAssembly;
    const { unregister } = await import(ROOT + "/register.ts");
    Object.defineProperty(WebAssembly, "compile", { enumerable: true, configurable: false });
    unregister();
    console.log(compile !== WebAssembly.compile, JSON.stringify(Object.getOwnPropertyDescriptor(WebAssembly, "compile")));
  `,
    ({ out }) => assertEquals(out, 'false {"writable":true,"enumerable":true,"configurable":false}'),
    { isPreloaded: false },
  ));

test("a fault of the cache leaves the compile to the runtime", options, () =>
  withProgram(
    `
    Promise.withResolvers = () => { throw new RangeError("not here") };
    const { set } = Map.prototype;
    Map.prototype.set = function (...given) {
      if (new Error().stack.includes("memory_tier")) throw new RangeError("not here");
      return set.apply(this, given);
    };
    const response = () => new Response(CODE, { headers: { "content-type": "application/wasm" } });
    const calls = [
      () => new WebAssembly.Module(CODE),
      () => WebAssembly.compile(CODE),
      async () => (await WebAssembly.instantiate(CODE, { a: { b() {} } })).module,
      () => WebAssembly.compile(CODE.slice(0, 5000)).catch((error) => error.message.startsWith("WebAssembly.compile()")),
    ];
    for (const call of calls) console.log(String(await call()));
  `,
    ({ out, from }) =>
      assertEquals([out, from], [
        `${Array(3).fill("[object WebAssembly.Module]").join("\n")}\n${thisRuntime().startsWith("Bun") ? false : true}`,
        [],
      ]),
  ));

test("what a body fails with comes through, and a console that throws does not", options, async () => {
  const { error } = console;
  const answers = () =>
    Promise.all([Object.create(null), new RangeError("mine"), undefined].map(async (failure) => {
      const body = new ReadableStream({ start: (controller) => controller.error(failure) });
      const source = new Response(body, { headers: WASM });
      return await WebAssembly.compileStreaming(source).catch((error) => [error === failure, typeof error]);
    }));
  const expected = await answers();
  process.env.WASM_CACHE_LOG = "trace";
  console.error = () => {
    throw new RangeError("not here");
  };
  try {
    assertEquals(await registered(answers), expected);
  } finally {
    console.error = error;
    delete process.env.WASM_CACHE_LOG;
  }
});

test("a Node that is too old is left alone", options, async () => {
  if (!thisRuntime().startsWith("Node")) return;
  for (const version of ["20.19.0", "22.17.1"]) {
    const text = `
      Object.defineProperty(process, "versions", { value: { ...process.versions, node: "${version}" } });
      const before = Object.getOwnPropertyDescriptors(WebAssembly);
      await import(ROOT + "/register.ts");
      const after = Object.getOwnPropertyDescriptors(WebAssembly);
      console.log(Object.keys(before).every((name) => before[name].value === after[name].value));
    `;
    await withProgram(
      text,
      ({ out, err }) => {
        assertEquals(out, "true");
        assert(err.includes(`not served: Node ${version} is too old`), err);
      },
      { isPreloaded: false },
    );
  }
});

test(
  "code of a response that breaks rejects as before",
  options,
  () =>
    withServer(
      () => ({ headers: WASM, body: realModule("sqlite"), breaksAt: 300_000 }),
      ({ url }) =>
        registered(async () => {
          const error = await WebAssembly.compileStreaming(fetch(url)).catch((error) => error);
          assert(error instanceof Error && !(error instanceof WebAssembly.CompileError), String(error));
          await assertRejects(() => WebAssembly.instantiateStreaming(fetch(url)), Error);
        }),
    ),
);

/** What a program printed, and where its modules came from. */
interface Ran {
  readonly out: string;
  readonly err: string;
  readonly from: string[];
}

/** Runs a program with a cache in memory. */
async function withProgram(
  text: string,
  check: (ran: Ran) => void,
  { isPreloaded = true }: { isPreloaded?: boolean } = {},
): Promise<void> {
  check(await program(text, { WASM_CACHE_ENGINE: "host", WASM_CACHE_DIR: "" }, { isPreloaded }));
}

/** Runs a text as a program with `register` preloaded; gives what it printed and the lookups it made. */
async function program(
  text: string,
  env: Record<string, string> = {},
  { isPreloaded = true }: { isPreloaded?: boolean } = {},
): Promise<Ran> {
  const command = runtimes()[thisRuntime()]!;
  const preload = [thisRuntime().startsWith("Node") ? "--import" : "--preload", `${ROOT}/register.ts`];
  mkdirSync(`${ROOT}/.cache`, { recursive: true });
  const path = `${ROOT}/.cache/register-${crypto.randomUUID()}.mjs`;
  const constants = `const ROOT = ${JSON.stringify(ROOT)}; const CODE = Uint8Array.from(${JSON.stringify([...CODE])});`;
  writeFileSync(path, `${constants}\n${text}`);
  try {
    const { code, stdout, stderr } = await runScript([...command, ...(isPreloaded ? preload : [])], path, [], {
      WASM_CACHE_LOG: "trace",
      ...env,
    });
    assertStrictEquals(code, 0, stderr);
    const lines = [...stderr.matchAll(/^wasm-module-cache: (\w+) [0-9a-f]{64} \d+ bytes [\d.]+ ms$/gm)];
    return { out: stdout.trim(), err: stderr, from: lines.map(([, from]) => from!) };
  } finally {
    rmSync(path);
  }
}

test(
  "a program that is started with it has all its modules from one cache",
  options,
  () =>
    inDirectory(async (directory) => {
      const text = `
      new WebAssembly.Module(CODE);
      await WebAssembly.compile(CODE);
      const { instance } = await WebAssembly.instantiate(CODE.buffer, { a: { b: () => console.log("called") } });
      instance.exports.c();
      new WebAssembly.Module(CODE.slice(0, 8));
    `;
      const env = { WASM_CACHE_DIR: directory, WASM_CACHE_ENGINE: "host" };
      const run = async (env: Record<string, string>) => {
        const { out, from } = await program(text, env);
        return { out, from };
      };
      assertEquals(await run(env), { out: "called", from: ["compiled", "memory", "memory"] });
      assertEquals(await run(env), { out: "called", from: ["disk", "memory", "memory"] });
      assertEquals(await run({ ...env, WASM_CACHE: "off" }), { out: "called", from: [] });
      assertEquals(
        (await program(text, { WASM_CACHE_MAX_BYTES: "no number", WASM_CACHE_ENGINE: "none", HOME: directory })).out,
        "called",
      );
    }),
);

test(
  "artifacts that pay are kept in the user's own folder, others nowhere",
  options,
  () =>
    inDirectory(async (home) => {
      const env = { HOME: home, XDG_CACHE_HOME: "", LOCALAPPDATA: home, WASM_CACHE_ENGINE: "auto", WASM_CACHE_DIR: "" };
      // Bun takes an empty XDG_CACHE_HOME for the working directory, and writes what it transpiled there.
      await program("new WebAssembly.Module(CODE)", { ...env, BUN_RUNTIME_TRANSPILER_CACHE_PATH: "0" });
      const folder = `${home}/${process.platform === "darwin" ? "Library/Caches" : ".cache"}/wasm-module-cache`;
      assertStrictEquals(existsSync(folder), v8Engine.available().available);
    }),
);

test("fetch and wasm that is compiled on its way work as before", options, () =>
  inDirectory(async (directory) => {
    const { out } = await program(
      `
      import { createServer } from "node:http";
      const server = createServer((_, answer) => answer.writeHead(200, { "content-type": "application/wasm" }).end(CODE));
      await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
      const url = "http://127.0.0.1:" + server.address().port;
      for (let i = 0; i < 3; i++) {
        const { instance } = await WebAssembly.instantiateStreaming(fetch(url), { a: { b() {} } });
        console.log(typeof instance.exports.c, (await (await fetch(url)).arrayBuffer()).byteLength === CODE.length);
      }
      server.closeAllConnections?.();
      server.close();
    `,
      { WASM_CACHE_DIR: directory, WASM_CACHE_ENGINE: "host" },
    );
    assertStrictEquals(out, Array(3).fill("function true").join("\n"));
  }));

test(
  "WASM_CACHE_LOG=summary gives one line at the end, also after process.exit()",
  options,
  () =>
    inDirectory(async (directory) => {
      const env = { WASM_CACHE_DIR: directory, WASM_CACHE_ENGINE: "host", WASM_CACHE_LOG: "summary" };
      const last = async (text: string) => (await program(text, env)).err.replace(/^.*(Check|Download).*\n/gm, "");
      const twice = "await WebAssembly.compile(CODE); new WebAssembly.Module(CODE);";
      assertMatch(
        await last(twice),
        /^wasm-module-cache: 2 lookups \(1 from memory, 1 compiled\) took \d+ ms, saved \d+ ms\n$/,
      );
      assertMatch(
        await last(
          `${twice} await new Promise((done) => setTimeout(done, 50)); globalThis.Deno?.exit(0); process.exit(0);`,
        ),
        /^wasm-module-cache: 2 lookups \(1 from memory, 1 from disk\) took \d+ ms, saved \d+ ms\n$/,
      );
      assertStrictEquals(await last("console.log(1);"), "wasm-module-cache: 0 lookups\n");
    }),
);

test("where the cache cannot be loaded, the runtime compiles", options, async () => {
  await inDirectory(async (directory) => {
    // Only what is loaded at first is there; then a file of that name that is another's.
    const first = ["loading", "register", "replacing", "settings", "worthwhile"].map((name) =>
      `src/register/${name}.ts`
    );
    const below = ["src/bytes.ts", "src/engine/runtime.ts", "src/platform/environment.ts", "src/register/program.ts"];
    for (const path of ["register.ts", "package.json", ...first, ...below]) {
      cpSync(`${ROOT}/${path}`, `${directory}/${path}`);
    }
    const text = `
      import "./register.ts";
      const CODE = Uint8Array.from(${JSON.stringify([...CODE])});
      const modules = [new WebAssembly.Module(CODE), await WebAssembly.compile(CODE)];
      modules.push((await WebAssembly.instantiate(CODE, { a: { b() {} } })).module, new WebAssembly.Module(CODE));
      const headers = { "content-type": "application/wasm" };
      modules.push(await WebAssembly.compileStreaming(new Response(CODE, { headers })));
      console.log(modules.filter((module) => module instanceof WebAssembly.Module).length);
    `;
    const command = runtimes()[thisRuntime()]!;
    const deno = [command[0]!, "run", "-A", "--no-check", "--no-config", "--no-lock"];
    for (const [name, backend] of [["missing", undefined], ["foreign", "export const a = 1;"]] as const) {
      const path = `${directory}/${name}.mjs`;
      writeFileSync(path, text);
      if (backend !== undefined) writeFileSync(`${directory}/src/register/backend.ts`, backend);
      const env = { WASM_CACHE_LOG: "trace" };
      const { code, stdout, stderr } = await runScript(
        thisRuntime().startsWith("Deno") ? deno : command,
        path,
        [],
        env,
      );
      assertEquals([code, stdout.trim()], [0, "5"], stderr);
      assertStrictEquals(
        stderr.match(/^wasm-module-cache: not served: the cache cannot be loaded: /gm)?.length,
        1,
        stderr,
      );
    }
  });
});

test("a namespace that must not be changed stays as it is", options, async () => {
  if (!thisRuntime().startsWith("Node")) return;
  const path = `${ROOT}/tests/_register_program.mjs`;
  const command = [...runtimes()[thisRuntime()]!, "--frozen-intrinsics", "--import", `${ROOT}/register.ts`];
  const { code, stdout, stderr } = await runScript(command, path);
  assertEquals([code, stdout.trim()], [0, "2"], stderr);
});

test("what Node compiles for itself is left alone", options, async () => {
  const { out, from } = await program(`
    import { createServer } from "node:http";
    const server = createServer((_, answer) => answer.end("x"));
    await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
    console.log(await (await fetch("http://127.0.0.1:" + server.address().port)).text());
    server.closeAllConnections?.();
    server.close();
  `);
  assertEquals([out, from], ["x", []]);
});

test("what it may not do is done without, silently", options, async () => {
  if (!thisRuntime().startsWith("Deno")) return;
  const command = [runtimes()[thisRuntime()]![0]!, "run", "--no-prompt", "--no-lock", "--config", "deno.offline.json"];
  const path = `${ROOT}/tests/_register_program.mjs`;
  const { code, stdout, stderr } = await runScript([...command, "--preload", `${ROOT}/register.ts`], path);
  assertEquals([code, stdout.trim(), stderr.replace(/^.*Download.*\n/gm, "")], [0, "2", ""]);
});

test("what is compiled before the cache can be loaded is in it then", options, async () => {
  if (!thisRuntime().startsWith("Deno")) return;
  // Without leave to read the library's files they come as modules only, which takes a turn of the event loop.
  const command = [runtimes()[thisRuntime()]![0]!, "run", "--no-prompt", "--no-lock", "--config", "deno.offline.json"];
  const preload = ["--allow-env", "--preload", `${ROOT}/register.ts`];
  await inDirectory(async (directory) => {
    const path = `${directory}/program.mjs`;
    const text = `
      const CODE = Uint8Array.from(${JSON.stringify([...CODE])});
      const modules = [new WebAssembly.Module(CODE), new WebAssembly.Module(CODE)];
      modules.push(await WebAssembly.compile(CODE), new WebAssembly.Module(CODE));
      console.log(new Set(modules).size);
    `;
    writeFileSync(path, text);
    const { stdout, stderr } = await runScript([...command, ...preload], path, [], { WASM_CACHE_LOG: "trace" });
    const from = [...stderr.matchAll(/^wasm-module-cache: (\w+) [0-9a-f]{64} /gm)].map(([, from]) => from);
    assertEquals([stdout.trim(), from.sort()], ["4", ["compiled", "memory", "memory", "memory"]], stderr);
  });
});
