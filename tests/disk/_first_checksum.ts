// A process whose first checksum is synchronous; prints it.

import process from "node:process";
import { xxh3, XXH3_FROM_BYTES } from "../../src/disk/checksum.ts";
import { perform, runSync } from "../../src/effect.ts";

process.stdout.write(String(runSync(perform(xxh3(new Uint8Array(XXH3_FROM_BYTES))))));
