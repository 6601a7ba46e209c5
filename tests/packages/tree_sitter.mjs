// The parser is one module, the grammar another, which is linked to it.

import { createRequire } from "node:module";
import { Language, Parser } from "web-tree-sitter";

const { resolve } = createRequire(import.meta.url);
await Parser.init();
const language = await Language.load(resolve("tree-sitter-javascript/tree-sitter-javascript.wasm"));
const parser = new Parser();
parser.setLanguage(language);
const tree = parser.parse("let x = 1;\nconst f = async (a, ...rest) => `${a}${await rest[0]?.b}`;\n");
console.log(tree.rootNode.toString());
const names = tree.rootNode.descendantsOfType("identifier").map(({ text, startIndex }) => `${text}@${startIndex}`);
console.log(names.join(" "));
tree.delete();
parser.delete();
