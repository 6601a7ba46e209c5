// A path to an open file on Deno, which does not show its descriptors: the file is opened once more by open(2), and
// must be the same.

const SYMBOLS = {
  open: { parameters: ["buffer", "i32"], result: "i32" },
  fstat: { parameters: ["i32", "buffer"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
} as const;

/** O_RDONLY, O_CLOEXEC. */
const FLAGS = 0o2000000;

/** Length of `struct stat`, at most, bytes; it begins with the device and the inode, of 64 bits each. */
const STAT_BYTES = 256;

let calls: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"] | undefined;

/**
 * Opens a file once more.
 *
 * @param info The system's information about the open file.
 * @returns `undefined` if that is another file by now, without the permission to call C, and on other systems.
 */
export function linkTo(path: string, info: Deno.FileInfo): { path: string; release(): void } | undefined {
  if (Deno.build.os !== "linux" || Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return undefined;
  try {
    calls ??= Deno.dlopen("libc.so.6", SYMBOLS).symbols;
  } catch {
    // Another library than glibc.
    return undefined;
  }
  const { close, fstat, open } = calls;
  const descriptor = open(new TextEncoder().encode(`${path}\0`), FLAGS);
  if (descriptor < 0) return undefined;
  const stat = new BigUint64Array(STAT_BYTES / 8);
  const [device, inode] = fstat(descriptor, new Uint8Array(stat.buffer)) === 0 ? stat : [];
  if (Number(device) === info.dev && Number(inode) === info.ino) {
    return { path: `/proc/self/fd/${descriptor}`, release: () => void close(descriptor) };
  }
  close(descriptor);
  return undefined;
}
