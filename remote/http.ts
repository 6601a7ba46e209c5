/**
 * A remote tier for a module cache, on any HTTP server that stores files: nginx with WebDAV, bazel-remote, S3 and what
 * is compatible with it. Machines that share it compile each module once between them.
 *
 * @example A cache with a server behind it
 * ```ts
 * import { hostEngine, ModuleCache, prepared } from "@wasm/module-cache";
 * import { httpRemote } from "@wasm/module-cache/remote/http";
 * import { wat } from "@wasm/module-cache/wat";
 *
 * const cache = new ModuleCache({
 *   engine: prepared(hostEngine(), wat()),
 *   remote: httpRemote("http://127.0.0.1:9/wasm"),
 *   onWarning: ({ code }) => console.log(code), // "REMOTE": nothing listens there
 * });
 * const { from } = await cache.resolve(new TextEncoder().encode("(module)"));
 * console.log(from); // "compiled"
 * ```
 *
 * @module
 */

export { httpRemote, type HttpRemoteOptions } from "../src/remote/http.ts";
export type { RemoteGetOptions, RemoteOptions, RemoteTier } from "../src/remote/tier.ts";
