// Preloaded into a program: writes down each process that it is loaded into.

import { appendFileSync } from "node:fs";
import process from "node:process";

if (process.env.PRELOADED_LOG) appendFileSync(process.env.PRELOADED_LOG, `${process.argv.slice(1).join(" ")}\n`);
