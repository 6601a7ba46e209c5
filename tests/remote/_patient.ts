// Looks a code up with a remote that may take days, and ends.

import { bytes } from "../_tools.ts";
import { machine, MemoryStore } from "./_stores.ts";

const { cache } = machine(new MemoryStore(), { remoteTimeoutMs: 1e9 });
const { from } = await cache.resolve(bytes("hello"));
await cache.flush();
console.log(from);
