// The worker's own file: takes one job, answers, and is ended by whoever started it. Side effects are its purpose.

import { binaryenWorker } from "./optimize_jobs.ts";

binaryenWorker();
