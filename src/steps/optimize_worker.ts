// The worker's own file: takes one job and answers. Importing it has side effects, which are its purpose.

import { binaryenWorker } from "./optimize_jobs.ts";

binaryenWorker();
