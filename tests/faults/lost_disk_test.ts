// Faults: from one call of a lookup on, the disk is gone: every call fails, or the whole directory is removed before it.

import { explore } from "./_exploration.ts";
import { type Scenario, SCENARIOS } from "./_scenarios.ts";

for (const scenario of SCENARIOS as readonly Scenario<unknown>[]) {
  explore("survives the end of its disk", scenario, async (exploration) => {
    await exploration.failForGood();
    await exploration.removeAll();
  });
}
