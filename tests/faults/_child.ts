// A process of its own in an environment that lacks something: looks codes up and tells how it went. Argument: a job, as
// JSON.

import { CacheError, hostEngine, ModuleCache, type ModuleCacheOptions, type Resolved } from "@wasm/module-cache";
import process from "node:process";
import { bytes, EMPTY_MODULE, text } from "../_tools.ts";

/** What to do. */
export interface Job {
  readonly directory: string;
  readonly engine: "artifact" | "host";
  /** What to look up, in turn. */
  readonly names: readonly string[];
  readonly isSync?: boolean;
  readonly isStrict?: boolean;
  /** All at once. */
  readonly isBurst?: boolean;
  /** Length of the artifacts of names that begin with "large", bytes. */
  readonly largeBytes?: number;
}

/** How it went. */
export interface Report {
  /** Where the modules came from, or the codes of errors, in the order of the names. */
  readonly from: string[];
  /** Names whose module was wrong. */
  readonly wrong: string[];
  /** Code of each warning, and the system's. */
  readonly warnings: string[];
  readonly disk: string;
}

const job: Job = JSON.parse(process.argv[2]!);
const warnings: string[] = [];
const wrong: string[] = [];

/** Codes as those of the host engine: a custom section with the name. */
function moduleOf(name: string): Uint8Array {
  const section = bytes(name);
  return Uint8Array.of(...EMPTY_MODULE, 0, section.length + 2, 1, 110, ...section);
}

function nameOf(module: WebAssembly.Module): string {
  return text(new Uint8Array(WebAssembly.Module.customSections(module, "n")[0]!));
}

async function look<M>(cache: ModuleCache<M>, codeOf: (name: string) => Uint8Array, nameOf: (module: M) => string) {
  const lookUp = async (name: string): Promise<string> => {
    let resolved: Resolved<M>;
    try {
      resolved = job.isSync ? cache.resolveSync(codeOf(name)) : await cache.resolve(codeOf(name));
    } catch (error) {
      if (error instanceof CacheError) return error.code;
      throw error;
    }
    if (nameOf(resolved.module) !== name) wrong.push(name);
    return resolved.from;
  };
  const from: string[] = [];
  if (job.isBurst) from.push(...await Promise.all(job.names.map(lookUp)));
  else for (const name of job.names) from.push(await lookUp(name));
  await cache.flush();
  const report: Report = { from, wrong, warnings, disk: cache.status().disk };
  console.log(JSON.stringify(report));
}

const options: ModuleCacheOptions<never> = {
  directory: job.directory,
  strict: job.isStrict,
  onWarning: ({ code, cause }) => warnings.push(`${code} ${(cause as { code?: string } | undefined)?.code}`),
};
if (job.engine === "host") await look(new ModuleCache({ ...options, engine: hostEngine() }), moduleOf, nameOf);
else {
  const engine = {
    id: "text-1",
    compile: (code: Uint8Array) => text(code),
    serialize: (name: string) => {
      const artifact = bytes(`artifact of ${name}`);
      if (!name.startsWith("large")) return artifact;
      const large = new Uint8Array(job.largeBytes!);
      large.set(artifact);
      return large;
    },
    deserialize: (artifact: Uint8Array) => text(artifact).replace(/\0+$/, "").replace("artifact of ", ""),
  };
  await look(new ModuleCache({ ...options, engine }), bytes, (name) => name);
}
