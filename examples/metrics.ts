// Counts lookups by OpenTelemetry's API, by where their modules came from, and how long they took.
//
//   deno run -A examples/metrics.ts

import { metrics } from "@opentelemetry/api";
import { ModuleCache } from "@wasm/module-cache";

/** Has a cache report to the meter provider of the program. */
export function measure(cache: ModuleCache): void {
  const meter = metrics.getMeter("wasm-module-cache");
  const lookups = meter.createCounter("wasm_module_cache.lookups", { description: "Lookups that gave a module" });
  const duration = meter.createHistogram("wasm_module_cache.lookup.duration", { unit: "ms" });
  const written = meter.createCounter("wasm_module_cache.written", { unit: "By" });
  const warnings = meter.createCounter("wasm_module_cache.warnings");
  cache.addEventListener("lookup", ({ detail: { elapsedMs, from } }) => {
    lookups.add(1, { from });
    duration.record(elapsedMs, { from });
  });
  cache.addEventListener("store", ({ detail }) => written.add(detail.bytes));
  cache.addEventListener("warning", ({ detail }) => warnings.add(1, { code: detail.code }));
}

const cache = new ModuleCache();
measure(cache);
const code = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
for (let i = 0; i < 3; i++) await cache.resolve(code);
