// Lints the docs of every file that is published, not only of what is exported.

import { walk } from "@std/fs";
import { findEntries, ROOT, run } from "./tools.ts";

const files = await findEntries();
for await (const { path } of walk(`${ROOT}/src`, { exts: [".ts"], includeDirs: false })) files.push(path);

// `deno doc` knows no links: an import map says where the stand-ins are that the config at hand resolves to.
const { imports } = JSON.parse(await Deno.readTextFile(`${ROOT}/deno.json`)) as { imports: Record<string, string> };
const timingSafeEqual = "@std/crypto/timing-safe-equal";
imports[timingSafeEqual] = import.meta.resolve(timingSafeEqual);
const map = `data:application/json,${encodeURIComponent(JSON.stringify({ imports }))}`;
const command = [Deno.execPath(), "doc", "--lint", "--no-config", "--no-lock", "--import-map", map, ...files.sort()];
const { code, output } = await run(command, { capture: true });
if (code !== 0) console.log(output);
Deno.exit(code);
