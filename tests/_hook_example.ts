// Preloaded: a stand-in which shows that a hook finds the package wherever a program starts. It wraps nothing.

import { writeSync } from "node:fs";
import { ModuleCache } from "@wasm/module-cache";

writeSync(2, typeof ModuleCache === "function" ? "hook loaded\n" : "hook found no cache\n");
