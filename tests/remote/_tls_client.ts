// Looks a code up with a remote behind TLS; says where the module came from, and which warnings there were.

import process from "node:process";
import { httpRemote } from "@wasm/module-cache/remote/http";
import { bytes } from "../_tools.ts";
import { machine } from "./_stores.ts";

const { cache, warnings } = machine(httpRemote(process.argv[2]!));
const { from, module } = await cache.resolve(bytes("hello"));
await cache.flush();
console.log(JSON.stringify([from, module.text, warnings.map(({ code, message }) => `${code} ${message}`)]));
