// A worker that holds the lock of a code for as long as it lives. Its data: directory, code, and whether it waits or works.

import { parentPort, workerData } from "node:worker_threads";
import { ModuleCache } from "../mod.ts";

const { directory, code, isBusy } = workerData;
const engine = {
  id: "slow",
  compile() {
    parentPort.postMessage("locked");
    while (isBusy);
    return new Promise(() => {});
  },
  serialize: () => code,
  deserialize: () => 7,
};
// What holds the process in a worker that only waits.
setInterval(() => {}, 1000);
await new ModuleCache({ directory, engine, strict: true }).resolve(code);
