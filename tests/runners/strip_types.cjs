// Gives Jest the tree's TypeScript as JavaScript, as Node itself runs it.
const { stripTypeScriptTypes } = require("node:module");
module.exports = { process: (source) => ({ code: stripTypeScriptTypes(source) }) };
