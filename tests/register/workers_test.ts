// Workers that are started by a program under `register` begin with what it compiled.

import { assertEquals, assertStrictEquals } from "@std/assert";
import { test } from "node:test";
import { getEnvironmentData } from "node:worker_threads";
import { detectPlatform } from "../../src/platform/detect.ts";
import { SharedMemory } from "../../src/register/shared_memory.ts";
import { DECLARE_CODE, registered } from "../_register.ts";
import { ROOT, thisRuntime } from "../_tools.ts";

const options = { timeout: 60_000 };
const isDeno = thisRuntime().startsWith("Deno");
/** Node has no web workers. */
const KINDS = {
  node: options,
  web: { ...options, skip: thisRuntime().startsWith("Node") ? "Node has no web workers" : false },
};

/** `LARGE(i)`: modules that are worth to be shared, all of the same length; their `f` gives i. */
const DECLARE_LARGE = `${DECLARE_CODE}
  const size = 600_000;
  const LARGE = (i) => {
    const code = new Uint8Array(CODE.length + 6 + size);
    code.set(CODE);
    code[32] = i;
    code.set([0, ...[0, 7, 14, 21].map((shift) => size >> shift & 127 | 128), 0, 1, 97], CODE.length);
    return code;
  };
`;

/** Starts a worker and waits for its one message. */
const DECLARE_WORK = `
  import { Worker as NodeWorker } from "node:worker_threads";
  const work = async (kind, file = "./worker.mjs", options = {}) => {
    const url = new URL(file, import.meta.url);
    const worker = kind === "web" ? new Worker(url, { type: "module" }) : new NodeWorker(url, options);
    const answer = await new Promise((resolve, reject) => {
      if (kind !== "web") return worker.once("message", resolve).once("error", reject);
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = reject;
    });
    await worker.terminate();
    return answer;
  };
`;

/** A worker with `register` that compiles, and tells where modules came from and what their functions give. */
const worker = (body: string) => `
  import ${JSON.stringify(`${ROOT}/register.ts`)};
  import { parentPort, setEnvironmentData, getEnvironmentData } from "node:worker_threads";
  ${DECLARE_LARGE}
  const lines = [];
  console.error = (line) => lines.push(line.split(" ")[1]);
  const given = (module) => new WebAssembly.Instance(module).exports.f();
  const results = [];
  ${body}
  const send = parentPort ? (answer) => parentPort.postMessage(answer) : (answer) => postMessage(answer);
  send([lines, results].join(" "));
`;

const COMPILING = `
  results.push(given(new WebAssembly.Module(LARGE(7))), given(await WebAssembly.compile(LARGE(7))));
  results.push((await WebAssembly.instantiate(LARGE(8))).instance.exports.f());
`;

for (const [kind, options] of Object.entries(KINDS)) {
  test(`a ${kind} worker has the modules of the thread that started it`, options, async () => {
    const { stdout, stderr } = await registered({
      "program.mjs": `${DECLARE_WORK} ${DECLARE_LARGE}
        new WebAssembly.Module(LARGE(7));
        await WebAssembly.compile(LARGE(8));
        for (let i = 0; i < 2; i++) console.log(await work("${kind}"));`,
      "worker.mjs": worker(COMPILING),
    });
    // Deno hands nothing to its web workers.
    const from = isDeno && kind === "web" ? "compiled,memory,compiled" : "memory,memory,memory";
    assertEquals(stdout.trim().split("\n"), Array(2).fill(`${from} 7,7,8`), stderr);
  });
}

test("a worker has code that arrives from the thread that started it", options, async () => {
  const { stdout, stderr } = await registered({
    "program.mjs": `${DECLARE_WORK} ${DECLARE_LARGE}
      import { createServer } from "node:http";
      const server = createServer((_, answer) => {
        const body = LARGE(7);
        answer.writeHead(200, { "content-type": "application/wasm", "content-length": body.length }).end(body);
      });
      await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
      new WebAssembly.Module(LARGE(7));
      console.log(await work("node", "./worker.mjs", { argv: ["http://127.0.0.1:" + server.address().port] }));
      server.closeAllConnections?.();
      server.close();`,
    "worker.mjs": worker(`
      results.push(given(await WebAssembly.compileStreaming(fetch(process.argv.at(-1)))));
    `),
  });
  assertStrictEquals(stdout.trim(), "memory 7", stderr);
});

test("a worker hands on what it uses", options, async () => {
  const { stdout, stderr } = await registered({
    "program.mjs": `${DECLARE_WORK} ${DECLARE_LARGE}
      for (const i of [7, 8]) new WebAssembly.Module(LARGE(i));
      console.log(await work("node", "./middle.mjs"));`,
    "middle.mjs": `${DECLARE_WORK} ${worker("results.push(given(new WebAssembly.Module(LARGE(7))), await work());")}`,
    "worker.mjs": worker(COMPILING),
  });
  assertStrictEquals(stdout.trim(), "memory 7,memory,memory,compiled 7,7,8", stderr);
});

test("what a worker writes into what it was handed is believed by nobody else", options, async () => {
  const { stdout, stderr } = await registered({
    "program.mjs": `${DECLARE_WORK} ${DECLARE_LARGE}
      new WebAssembly.Module(LARGE(7));
      await work("node", "./evil.mjs");
      console.log(await work(), new WebAssembly.Instance(new WebAssembly.Module(LARGE(8))).exports.f());`,
    "evil.mjs": worker(`
      const name = "wasm-module-cache 1 host";
      const handed = getEnvironmentData(name);
      if (handed.size !== 1) throw new Error("nothing was handed on");
      for (const value of [undefined, null, 7, new Map([["a", null]]), new Map()]) setEnvironmentData(name, value);
      for (const shared of handed.values()) for (const key in shared) shared[key] = undefined;
      handed.clear();
    `),
    "worker.mjs": worker(COMPILING),
  });
  assertStrictEquals(stdout.trim(), "memory,memory,compiled 7,7,8 8", stderr);
});

test("what stands in the place of what is handed on is ignored", options, async () => {
  for (const value of ["null", "7", "new Map([['a', null]])", "new Map([['a', { length: 608_256, module: {} }]])"]) {
    const { stdout, stderr } = await registered({
      "program.mjs": `${DECLARE_WORK} import { setEnvironmentData } from "node:worker_threads";
        setEnvironmentData("wasm-module-cache 1 host", ${value});
        console.log(await work());`,
      "worker.mjs": worker(COMPILING),
    });
    assertStrictEquals(stdout.trim(), "compiled,memory,compiled 7,7,8", stderr);
  }
});

test("a worker without register, or with little memory, works as ever", options, async () => {
  const { stdout, stderr } = await registered({
    "program.mjs": `${DECLARE_WORK} ${DECLARE_LARGE}
      for (const i of [7, 8]) new WebAssembly.Module(LARGE(i));
      console.log(await work("node", "./plain.mjs", { execArgv: [], env: { WASM_CACHE: "off" } }));
      console.log(await work("node", "./worker.mjs", { resourceLimits: { maxOldGenerationSizeMb: 32 } }));`,
    "plain.mjs": `import { parentPort } from "node:worker_threads";
      ${DECLARE_LARGE}
      parentPort.postMessage(new WebAssembly.Instance(new WebAssembly.Module(LARGE(7))).exports.f());`,
    "worker.mjs": worker(COMPILING),
  });
  assertEquals(stdout.trim().split("\n"), ["7", "memory,memory,memory 7,7,8"], stderr);
});

test("what memory lets go is not handed on any more", () => {
  const memory = new SharedMemory("a", { maxEntries: 2, maxBytes: 2_000_000 }, detectPlatform().equal);
  const handed = () => [...(getEnvironmentData("wasm-module-cache 1 a") as unknown as Map<string, unknown>).keys()];
  const module = new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
  const set = (digest: string, length: number) =>
    memory.set({ code: new Uint8Array(length), digest, key: digest, compileMs: 0, module });
  set("a", 600_000);
  set("b", 700_000);
  assertEquals(handed(), ["a", "b"]);
  set("small", 4096);
  assertEquals(handed(), ["b"]);
  set("too large", 3_000_000);
  assertEquals(handed(), ["b"]);
  set("c", 1_999_999);
  assertEquals(handed(), ["c"]);
  memory.delete("c");
  assertEquals(handed(), []);
  set("d", 600_000);
  memory.clear();
  assertEquals(handed(), []);
});
