// What does loading by URL cost over what has to be done anyway: compiling while bytes arrive, or reading, hashing and
// compiling? And what does a worker save that is handed the module?

import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { ModuleCache } from "@wasm/module-cache";
import { medianOfCold, modules, printTable, timeOf, variantOf } from "./_tools.ts";

const ROUNDS = 15;
const small = modules.slice(0, 2);
const folder = mkdtempSync(join(tmpdir(), "wasm-module-cache-bench-"));
const served = new Map<string, Uint8Array>();
const server = createServer((request, response) => {
  response.writeHead(200, { "content-type": "application/wasm", "cache-control": "max-age=600" });
  response.end(served.get(request.url!));
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
let paths = 0;

/** URL of a module that nobody has seen before. */
function newUrl(code: Uint8Array): string {
  const path = `/${paths++}`;
  served.clear();
  served.set(path, variantOf(code));
  return origin + path;
}

async function streaming(): Promise<(string | number)[][]> {
  const rows = [];
  for (const { name, code } of small) {
    const calls = [
      () => timeOfUrl(code, (url) => WebAssembly.compileStreaming(fetch(url))),
      () => timeOfUrl(code, (url) => new ModuleCache().compileStreaming(fetch(url))),
      () => timeOfUrl(code, (url, directory) => new ModuleCache({ directory }).load(url)),
    ];
    await medianOfCold(2, calls);
    const [native, cached, loaded] = await medianOfCold(ROUNDS, calls);
    rows.push([name, native!, cached!, cached! / native!, loaded!, loaded! / native!]);
  }
  return rows;
}

async function timeOfUrl(code: Uint8Array, call: (url: string, directory: string) => Promise<unknown>) {
  const url = newUrl(code);
  const directory = mkdtempSync(join(folder, "d"));
  return await timeOf(() => call(url, directory));
}

async function warm(): Promise<(string | number)[][]> {
  const rows = [];
  for (const { name, code } of small) {
    // Each round has a module of its own, so that no runtime has compiled it before; both read one.
    const rounds = Array.from({ length: ROUNDS + 4 }, () => variantOf(code));
    const directory = join(folder, `warm-${code.length}`);
    const entries = await Promise.all(rounds.map(async (variant, i) => {
      const integrity = `sha256-${createHash("sha256").update(variant).digest("base64")}`;
      const url = `${origin}/warm-${code.length}-${i}`;
      served.set(`/warm-${code.length}-${i}`, variant);
      const cache = new ModuleCache({ directory, maxMemoryBytes: 0 });
      await cache.load(url, { integrity });
      await cache.flush();
      const path = join(folder, `${code.length}-${i}.wasm`);
      // The same length, other bytes.
      const other = variantOf(variant, `plain-${i}`);
      writeFileSync(path, other);
      return { integrity, url, path, digest: createHash("sha256").update(other).digest("hex") };
    }));
    const [plainQueue, loadQueue] = [entries.values(), entries.values()];
    const calls = [
      () => {
        const { path, digest } = plainQueue.next().value!;
        return timeOf(async () => {
          const bytes = new Uint8Array(readFileSync(path));
          if (createHash("sha256").update(bytes).digest("hex") !== digest) throw new Error("damaged");
          await WebAssembly.compile(bytes);
        });
      },
      () => {
        const { integrity, url } = loadQueue.next().value!;
        return timeOf(() => new ModuleCache({ directory }).load(url, { integrity }));
      },
    ];
    await medianOfCold(3, calls);
    const [plain, loaded] = await medianOfCold(ROUNDS, calls);
    rows.push([name, plain!, loaded!, loaded! - plain!]);
  }
  return rows;
}

/** A worker that says how long a module took it to get. */
const WORKER = `
  import { parentPort } from "node:worker_threads";
  parentPort.on("message", ({ code, module }) => {
    const start = performance.now();
    module ??= new WebAssembly.Module(code);
    parentPort.postMessage(WebAssembly.Module.exports(module).length && performance.now() - start);
  });
`;

async function workers(): Promise<(string | number)[][]> {
  const path = join(folder, "worker.mjs");
  writeFileSync(path, WORKER);
  const rows = [];
  for (const { name, code } of small) {
    const cache = new ModuleCache();
    const handed = (message: (code: Uint8Array) => unknown) => async () => {
      const worker = new Worker(path);
      const ready = new Promise((resolve) => worker.once("online", resolve));
      await ready;
      const answer = new Promise((resolve) => worker.once("message", resolve));
      const data = await message(variantOf(code));
      const ms = await timeOf(async () => {
        worker.postMessage(data);
        await answer;
      });
      await worker.terminate();
      return ms;
    };
    const calls = [
      handed((code) => ({ code })),
      handed(async (code) => ({ module: await cache.compile(code) })),
    ];
    const [bytes, module] = await medianOfCold(7, calls);
    rows.push([name, bytes!, module!, bytes! / module!]);
  }
  return rows;
}

try {
  printTable("A response, cold", [
    "module",
    "WebAssembly.compileStreaming, ms",
    "cache.compileStreaming, ms",
    "ratio",
    "cache.load, ms",
    "ratio",
  ], await streaming());
  printTable("load with integrity, code on disk", [
    "module",
    "read, SHA-256, compile, ms",
    "cache.load, ms",
    "difference, ms",
  ], await warm());
  printTable("A module for a worker", ["module", "sent as bytes, ms", "sent as a module, ms", "gain"], await workers());
} finally {
  server.closeAllConnections?.();
  server.close();
  rmSync(folder, { recursive: true });
}
