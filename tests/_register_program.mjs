// A program without any permission: compiles a module of 5 KB twice.

const code = Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 0, 0x85, 0x28, 1, 97, ...new Uint8Array(5123)]);
const modules = [new WebAssembly.Module(code), await WebAssembly.compile(code)];
console.log(new Set(modules).size);
