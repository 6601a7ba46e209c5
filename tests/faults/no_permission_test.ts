// A directory of somebody who may read it, and not write.

import { assertEquals } from "@std/assert";
import { chmodSync, chownSync, statSync } from "node:fs";
import { test } from "node:test";
import { inDirectory } from "../_tools.ts";
import type { Job } from "./_child.ts";
import { fill } from "./_scenarios.ts";
import { namesBelow, Snapshot } from "./_snapshot.ts";
import { asNobody, canBeNobody, isSuperuser, look, NOBODY, skipUnless } from "./_surroundings.ts";

const users = skipUnless(canBeNobody(), "needs Linux, the test task, and a runtime and tree that everybody may read");

test(
  "a directory without permission to write is read, and one warning given",
  users,
  () =>
    inDirectory(async (base) => {
      chmodSync(base, 0o755);
      const directory = `${base}/cache`;
      fill(directory, ["hello", "other"]);
      for (const path of ["", ...namesBelow(directory)]) {
        const isFolder = statSync(`${directory}/${path}`).isDirectory();
        if (isSuperuser) chownSync(`${directory}/${path}`, NOBODY, NOBODY);
        if (isFolder) chmodSync(`${directory}/${path}`, 0o500);
      }
      try {
        const before = new Snapshot(directory);
        const job: Job = { directory, engine: "artifact", names: ["hello", "new", "other", "newer"] };
        for (const isSync of [false, true]) {
          assertEquals(await look(asNobody, { ...job, isSync }), {
            from: ["disk", "compiled", "disk", "compiled"],
            wrong: [],
            warnings: ["IO EACCES"],
            disk: "read-only",
          });
          const { from } = await look(asNobody, { ...job, isSync, isStrict: true });
          assertEquals(from, ["disk", "IO", "disk", "IO"]);
        }
        const host = await look(asNobody, { ...job, engine: "host" });
        assertEquals([new Set(host.from), host.wrong, host.warnings], [new Set(["compiled"]), [], ["IO EACCES"]]);
        const after = new Snapshot(directory);
        assertEquals([[...after.files.keys()], after.entries()], [[...before.files.keys()], before.entries()]);
      } finally {
        for (const path of ["", ...namesBelow(directory)]) {
          if (statSync(`${directory}/${path}`).isDirectory()) chmodSync(`${directory}/${path}`, 0o700);
        }
      }
    }),
);
