// The module that a process shares, and two fresh ones.

import { getQuickJS, newQuickJSWASMModule } from "quickjs-emscripten";

const source = `
  const primes = [];
  for (let n = 2; primes.length < 200; n++) if (primes.every((prime) => n % prime)) primes.push(n);
  globalThis.runs = (globalThis.runs ?? 0) + 1;
  \`\${runs}: \${primes.slice(-5)}\`;
`;
for (const quickJS of [await getQuickJS(), await newQuickJSWASMModule(), await newQuickJSWASMModule()]) {
  console.log(quickJS.evalCode(source));
  const vm = quickJS.newContext();
  const failed = vm.evalCode("null.property");
  console.log(vm.dump(failed.error).message);
  failed.error.dispose();
  vm.dispose();
}
