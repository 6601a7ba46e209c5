// A server on Bun whose routes are WebAssembly plugins: GET /NAME?a=1&b=2 calls the export `run` of NAME.wasm.
//
//   bun examples/bun_server.ts plugins

import { pathToFileURL } from "node:url";
import { ModuleCache } from "@wasm/module-cache";

declare const Bun: {
  serve(options: object): { port: number; stop(): Promise<void> };
};

const [folder = "plugins", port = "8000"] = process.argv.slice(2);
const cache = new ModuleCache({ directory: "default" });

async function answer(request: Request): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  const name = pathname.match(/^\/([\w-]+)$/)?.[1];
  if (!name) return new Response("not found\n", { status: 404 });
  try {
    // A file that has not changed is not read again; its module is in memory.
    const module = await cache.load(pathToFileURL(`${folder}/${name}.wasm`));
    // An instance for each request: plugins share nothing.
    const { exports } = await WebAssembly.instantiate(module);
    const run = exports.run as (a: number, b: number) => number;
    return new Response(`${run(Number(searchParams.get("a")), Number(searchParams.get("b")))}\n`);
  } catch (error) {
    const isMissing = (error as { code?: string }).code === "ENOENT";
    return new Response(isMissing ? "no such plugin\n" : "plugin failed\n", { status: isMissing ? 404 : 500 });
  }
}

const server = Bun.serve({ port: Number(port), hostname: "127.0.0.1", fetch: answer });
console.log(`listening on ${server.port}`);
process.on("SIGTERM", async () => {
  await server.stop();
  await cache.flush();
  console.log(JSON.stringify(cache.stats()));
  process.exit();
});
