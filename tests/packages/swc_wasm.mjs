// TypeScript to JavaScript, once in one step and once by way of the tree.

import swc from "@swc/wasm";

const source = `
  interface Point { x: number; y: number }
  export class Line<T extends Point> {
    constructor(private readonly from: T, private readonly to: T) {}
    get length(): number { return Math.hypot(this.to.x - this.from.x, this.to.y - this.from.y) }
  }
`;
const parser = { syntax: "typescript" };
const { code } = swc.transformSync(source, { jsc: { parser, target: "es2020" }, minify: true });
console.log(code);
const tree = swc.parseSync(source, parser);
console.log(tree.body.map(({ type }) => type).join(" "));
console.log(swc.printSync(tree, {}).code);
