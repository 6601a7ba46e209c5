// A picture without text, as there are no fonts.

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { initWasm, Resvg } from "@resvg/resvg-wasm";

const svg = `
  <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 30">
    <rect width="40" height="30" fill="#124"/>
    <circle cx="20" cy="15" r="10" fill="gold" stroke="white" stroke-width="2"/>
    <path d="M5 25 Q20 0 35 25" fill="none" stroke="tomato"/>
  </svg>
`;
await initWasm(readFile(createRequire(import.meta.url).resolve("@resvg/resvg-wasm/index_bg.wasm")));
const image = new Resvg(svg, { fitTo: { mode: "width", value: 160 } }).render();
const png = image.asPng();
console.log(`${image.width} x ${image.height}, ${png.length} bytes`);
console.log(createHash("sha256").update(png).digest("hex"));
