// Not by a name that Deno's and Bun's own runners would find.
export default { test: { globals: true, include: ["program.js"] } };
