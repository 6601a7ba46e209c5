// A bundle of two modules which a plugin gives.

import { rollup } from "@rollup/wasm-node";

const sources = {
  main: `import { used } from "helper"; export default [1, 2, 3].map(used);`,
  helper: `export const used = (value) => value * 2; export const unused = () => "left out";`,
};
const bundle = await rollup({
  input: "main",
  plugins: [{
    name: "sources",
    resolveId: (id) => id in sources ? id : null,
    load: (id) => sources[id] ?? null,
  }],
});
const { output } = await bundle.generate({ format: "es", entryFileNames: "[name]-[hash].js" });
for (const { fileName, code } of output) console.log(`${fileName}\n${code}`);
await bundle.close();
