// What callers give as options: values of other realms.

import { assertEquals } from "@std/assert";
import { pathToFileURL } from "node:url";
import vm from "node:vm";
import { ModuleCache } from "@wasm/module-cache";
import { bothWays, bytes, entriesIn, hitsOnly, inDirectory, TextEngine } from "./_tools.ts";

bothWays("a directory, a secret and a digest of another realm are taken", async (resolve) => {
  await inDirectory(async (directory) => {
    const foreign = vm.createContext({ URL });
    const secret = vm.runInContext("new Uint8Array(32).fill(7)", foreign) as Uint8Array;
    class OtherUrl extends URL {
      static override [Symbol.hasInstance]() {
        return false;
      }
    }
    const url = new OtherUrl(pathToFileURL(directory));
    const own = new ModuleCache({ engine: new TextEngine(), directory, secret: new Uint8Array(32).fill(7) });
    await resolve(own, bytes("a"));
    const cache = new ModuleCache({ engine: hitsOnly(new TextEngine()), directory: url, secret });
    assertEquals((await resolve(cache, bytes("a"))).from, "disk");
    assertEquals(entriesIn(directory).length, 1);
  });
});
