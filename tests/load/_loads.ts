// What the tests of loading share: responses of every age, and what a server was asked for them.

import { assertEquals } from "@std/assert";
import { type CacheError, type LoadOptions, ModuleCache, type ModuleCacheOptions } from "@wasm/module-cache";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { isFresh, policyOf } from "../../src/load/policy.ts";
import { PROBE } from "../../src/v8/proof.ts";
import { type Answer, WASM, withServer } from "../_server.ts";
import { EMPTY_MODULE, inDirectory } from "../_tools.ts";

/** Bun gives up after 5 s otherwise, also where the machine is busy. */
export const options = { timeout: 60_000 };

/** Headers of a response that is fresh for ten minutes. */
export const FRESH = { ...WASM, "cache-control": "max-age=600" };

/** Headers of one that is asked for each time, by its validator. */
export const STALE = { ...WASM, "cache-control": "max-age=0", etag: '"1"' };

/** Another module. */
export const OTHER = Uint8Array.from([...EMPTY_MODULE, 0, 2, 1, 97]);

/** Integrity of code. */
export function sri(code: Uint8Array, algorithm = "sha256"): string {
  return `${algorithm}-${createHash(algorithm).update(code).digest("base64")}`;
}

/** A process of its own, as far as the cache can tell. */
export function strict(directory?: string, more: ModuleCacheOptions = {}): ModuleCache {
  return new ModuleCache({ directory, strict: true, ...more });
}

/** Loads in a new cache each time, and tells what the server was asked: status of the validator, or "new". */
export async function asks(
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

/** What becomes of a second load when the server answers it so: "kept", with a warning, or the error. */
export async function second(
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

/** Tells whether a response is fresh some ms after it came. */
export async function isFreshAfter(ms: number, headers: Record<string, string>, cameMs = Date.now()): Promise<boolean> {
  const policy = await policyOf(new Response("", { headers: { ...WASM, ...headers } }), () => cameMs);
  return policy !== undefined && await isFresh(policy, () => cameMs + ms);
}

/** All that files below a directory hold, as text of one byte a character. */
export function contentOf(directory: string): string {
  const paths = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return paths.map(({ name, parentPath }) => readFileSync(`${parentPath}/${name}`, "latin1")).join("\n");
}
