// The FFI port of this runtime.

import { detectFfi } from "../../src/ffi/detect.ts";
import { whyNotHere } from "../../src/wasmtime/library.ts";
import { ffiContract } from "../contract/ffi.ts";

ffiContract("this runtime's", detectFfi, { skip: whyNotHere() ?? false });
