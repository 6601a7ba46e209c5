// Faults: every call on the disk that a lookup makes fails, each in its turn and in every way. The module comes all the
// same, one warning says what was wrong, nothing that was good is lost, and nothing is left behind.

import { assert } from "@std/assert";
import { explore } from "./_exploration.ts";
import { type Scenario, SCENARIOS } from "./_scenarios.ts";

for (const scenario of SCENARIOS as readonly Scenario<unknown>[]) {
  explore("survives every fault", scenario, async (exploration) => {
    await exploration.failOnce(false);
    await exploration.failOnce(true);
  });
}

const [, cold] = SCENARIOS as readonly Scenario<unknown>[];

explore("survives a fault whose traces cannot be removed", cold!, async (exploration) => {
  // The stamp's and the entry's.
  assert(await exploration.failTwice() > 2, "no removal was seen");
});
