// A server on Deno whose routes are WebAssembly plugins: GET /NAME?a=1&b=2 calls the export `run` of NAME.wasm.
//
//   deno run -A examples/deno_server.ts plugins

import { ModuleCache } from "@wasm/module-cache";

const [folder = "plugins", port = "8000"] = Deno.args;
const cache = new ModuleCache({ directory: "default" });

async function answer(request: Request): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  const name = pathname.match(/^\/([\w-]+)$/)?.[1];
  if (!name) return new Response("not found\n", { status: 404 });
  try {
    // A file that has not changed is not read again; its module is in memory.
    const module = await cache.load(new URL(`${name}.wasm`, `file://${Deno.realPathSync(folder)}/`));
    // An instance for each request: plugins share nothing.
    const { exports } = await WebAssembly.instantiate(module);
    const run = exports.run as (a: number, b: number) => number;
    return new Response(`${run(Number(searchParams.get("a")), Number(searchParams.get("b")))}\n`);
  } catch (error) {
    const isMissing = error instanceof Deno.errors.NotFound;
    return new Response(isMissing ? "no such plugin\n" : "plugin failed\n", { status: isMissing ? 404 : 500 });
  }
}

const onListen = ({ port }: Deno.NetAddr) => console.log(`listening on ${port}`);
const server = Deno.serve({ port: Number(port), hostname: "127.0.0.1", onListen }, answer);
Deno.addSignalListener("SIGTERM", () => server.shutdown());
await server.finished;
await cache.flush();
console.log(JSON.stringify(cache.stats()));
