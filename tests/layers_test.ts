// The rules of the tree: imports, names of runtimes, sizes, configs.

import { assertEquals } from "@std/assert";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ENTRIES, ROOT } from "./_tools.ts";

/** Files of the library, from the top of the tree. */
const files = (readdirSync(join(ROOT, "src"), { recursive: true }) as string[])
  .map((path) => `src/${path.replaceAll("\\", "/")}`)
  .filter((path) => path.endsWith(".ts"))
  .concat(ENTRIES);

const source = new Map(files.map((path) => [path, readFileSync(join(ROOT, path), "utf8")]));

/** Source without comments and strings other than imports. */
function codeOf(path: string): string {
  return source.get(path)!.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "").replace(/\/\/ .*$/gm, "");
}

/** Files of ours that a file imports; types only where asked for. */
function importsOf(path: string, { types }: { types: boolean }): string[] {
  const pattern = /^(?:import|export)\s+(type\s)?[^;]*?from "(\.[^"]+)"/gm;
  return [...codeOf(path).matchAll(pattern)]
    .filter(([, isType]) => types || !isType)
    .map(([, , target]) => new URL(target!, `file:///${path}`).pathname.slice(1));
}

test("imports have no circles, not even of types", () => {
  // What was left without a circle need not be visited again: there are more ways than files.
  const left = new Set<string>();
  const visit = (path: string, above: string[]): string[][] => {
    if (left.has(path)) return [];
    if (above.includes(path)) return [[...above.slice(above.indexOf(path)), path]];
    const circles = importsOf(path, { types: true }).flatMap((next) => visit(next, [...above, path]));
    left.add(path);
    return circles;
  };
  for (
    const entry of [
      ...ENTRIES,
      "src/v8/process_main.ts",
      "src/wasmtime/compiler_main.ts",
      "src/wasmtime/ticker_main.ts",
    ]
  ) assertEquals(visit(entry, []), []);
});

test("only the platforms, the engines, what starts workers, what inflates and what knows the program name a runtime", () => {
  const named = files
    .filter((path) =>
      !/^src\/(platform\/|cli\/(program|system)\.ts|ffi\/|background\/|engine\/|v8\/|steps\/(worker|worker_port|zlib)\.ts|wasmtime\/(compiler_main|library|processes|ticker|ticker_main)\.ts|register\/program\.ts)/
        .test(path)
    )
    .filter((path) => /\b(Deno|Bun|process)\b|"(node|bun):/.test(codeOf(path)));
  assertEquals(named, []);
});

test("the ports import nothing of ours but types", () => {
  for (const port of ["src/engine/engine.ts", "src/ffi/ffi.ts", "src/platform/platform.ts", "src/remote/tier.ts"]) {
    assertEquals(importsOf(port, { types: false }), []);
  }
});

test("imports go one way", () => {
  // What each folder may know besides itself: the names of those below it.
  const ground = "bytes|effect|errors|urls|platform/(globals|platform)";
  const protocol = "artifacts|context|counters|events|lookup|obtain|publish|share";
  const layers: Record<string, string> = {
    "(bytes|effect|errors|urls)": "bytes|errors|platform/(globals|platform)",
    "platform/.*": "bytes|effect|errors",
    "engine/.*": ground,
    "ffi/.*": "platform/(detect|node_.*)",
    "memory/.*": ground,
    "disk/.*": ground,
    "remote/.*": `${ground}|disk/write_behind`,
    "options": `${ground}|memory/.*|disk/key|engine/.*|platform/environment|remote/tier`,
    "events": "errors|platform/platform",
    "(counters|warnings)": "bytes|effect|errors|remote/remote",
    "context": `${ground}|counters|events|warnings|memory/.*|disk/.*|engine/.*|options|platform/detect|remote/remote`,
    "(artifacts|lookup|obtain|publish|share)":
      `${ground}|memory/.*|disk/.*|engine/.*|remote/remote|artifacts|context|counters|obtain|publish|share`,
    "calls/.*": `${ground}|memory/.*|engine/.*|${protocol}`,
    "load/.*": `${ground}|disk/.*|${protocol}|calls/streaming`,
    "background/.*": `${ground}|engine/.*|${protocol}|disk/key|platform/(environment|node_.*)`,
    "v8/.*": `${ground}|background/.*|engine/.*|platform/node_.*`,
    "wasmtime/.*": `${ground}|engine/.*|ffi/.*|platform/(detect|file_url|node_.*|threads)|background/.*`,
    "register/.*":
      `${ground}|engine/.*|memory/.*|v8/engine|wasmtime/(module|facade/facade)|${protocol}|options|calls/streaming|platform/(detect|environment|threads)`,
    "cli/.*": `${ground}|cache|options|disk/(inventory|prune)|engine/.*|platform/(detect|environment)`,
    "steps/.*": "effect|platform/globals|engine/prepared",
    "(cache|get)": ".*",
  };
  const match = (pattern: string, path: string) => new RegExp(`^src/(${pattern})\\.ts$`).test(path);
  for (const path of files.filter((path) => path.startsWith("src/"))) {
    const [from, to] = Object.entries(layers).find(([from]) => match(from, path))!;
    const allowed = from.endsWith("/.*") ? `${from}|${to}` : to;
    assertEquals(importsOf(path, { types: true }).filter((target) => !match(allowed, target)), [], path);
  }
});

test("register loads no engine for machine code before it is asked for", () => {
  const reached = new Set<string>();
  const visit = (path: string) => {
    if (reached.has(path)) return;
    reached.add(path);
    const dynamic = [...codeOf(path).matchAll(/(?<!typeof )\bimport\("(\.[^"]+)"\)/g)].map(([, target]) =>
      new URL(target!, `file:///${path}`).pathname.slice(1)
    );
    for (const next of [...importsOf(path, { types: false }), ...dynamic]) visit(next);
  };
  visit("register.ts");
  assertEquals(reached.has("src/register/backend.ts"), true);
  assertEquals([...reached].filter((path) => /^src\/(v8|wasmtime|ffi|background)\//.test(path)), []);
});

test("the steps take no more than the ground, and types of what they serve, and load their libraries only when they run", () => {
  const steps = files.filter((path) => path.startsWith("src/steps/"));
  assertEquals(
    steps.flatMap((path) => importsOf(path, { types: false })).filter((path) =>
      !steps.includes(path) && !["src/effect.ts", "src/platform/globals.ts"].includes(path)
    ),
    [],
  );
  for (const path of steps) assertEquals(/^import .* from "[^.]/m.test(codeOf(path)), false, path);
  assertEquals(
    files.filter((path) => !["binaryen.ts", "unpack.ts", "wat.ts"].includes(path) && !steps.includes(path))
      .filter((path) => importsOf(path, { types: true }).some((target) => steps.includes(target))),
    [],
  );
});

test("the memory tier sees no artifact and the disk tier no module", () => {
  assertEquals(/artifact|entry\.ts|disk/i.test(codeOf("src/memory/memory_tier.ts")), false);
  assertEquals(/engine\/|\bM\b/.test(codeOf("src/disk/disk_tier.ts")), false);
});

test("files stay small, and open with what they own", () => {
  for (const path of files) {
    const lines = source.get(path)!.split("\n");
    const code = lines.filter((line) => !/^\s*($|\/\/|\*|\/\*)/.test(line));
    assertEquals(code.length <= 200, true, `${path}: ${code.length} lines of code`);
    assertEquals(/^(\/\/ |\/\*\*)/.test(lines[0]!), true, `${path}: no opening comment`);
  }
});

test("the library has no await at the top level", () => {
  for (const path of files) assertEquals(/^(const .* = )?await /m.test(codeOf(path)), false, path);
});

test("both configs say the same, but for the stand-ins", () => {
  const read = (name: string) => JSON.parse(readFileSync(join(ROOT, name), "utf8"));
  const { links, ...offline } = read("deno.offline.json");
  const canonical = read("deno.json");
  assertEquals(links.every((link: string) => link.startsWith("./dev/std/")), true);
  // Linked modules count as the package's own when it is published: only ever as a dry run.
  offline.publish.include = offline.publish.include.filter((path: string) => !path.startsWith("dev/std/"));
  assertEquals(offline, canonical);
  const { version, exports } = read("package.json");
  assertEquals([version, exports], [canonical.version, canonical.exports]);
});
