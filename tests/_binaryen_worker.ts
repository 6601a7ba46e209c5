// A worker of the caller's own, as a bundle needs it.

import { binaryenWorker } from "@wasm/module-cache/binaryen";

binaryenWorker({ load: () => import("binaryen") });
