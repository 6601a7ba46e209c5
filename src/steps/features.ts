// The WebAssembly proposals that Binaryen knows, and which of them a module needs.

/** The methods used of a Binaryen module. */
export interface FeatureModule {
  /** Sets the features that passes and validation may assume. */
  setFeatures(features: number): void;
  /** 1 if the module is valid with the features set, otherwise 0. */
  validate(): number;
}

/** Bits of the proposals, by name; `All` is all of them. */
export type FeatureBits = Readonly<Record<BinaryenFeature | "All", number>>;

/** A WebAssembly proposal, by Binaryen's name for it. */
export type BinaryenFeature =
  | "AcquireReleaseAtomics"
  | "Atomics"
  | "BulkMemory"
  | "BulkMemoryOpt"
  | "CallIndirectOverlong"
  | "CompactImports"
  | "CustomPageSizes"
  | "ExceptionHandling"
  | "ExtendedConst"
  | "FP16"
  | "GC"
  | "Memory64"
  | "MultiMemory"
  | "Multivalue"
  | "MutableGlobals"
  | "NontrappingFPToInt"
  | "ReferenceTypes"
  | "RelaxedAtomics"
  | "RelaxedSIMD"
  | "SIMD128"
  | "SharedEverything"
  | "SignExt"
  | "StackSwitching"
  | "Strings"
  | "TailCall"
  | "WideArithmetic";

/** All of them, in the order of ids. */
export const FEATURES: readonly BinaryenFeature[] = [
  "AcquireReleaseAtomics",
  "Atomics",
  "BulkMemory",
  "BulkMemoryOpt",
  "CallIndirectOverlong",
  "CompactImports",
  "CustomPageSizes",
  "ExceptionHandling",
  "ExtendedConst",
  "FP16",
  "GC",
  "Memory64",
  "MultiMemory",
  "Multivalue",
  "MutableGlobals",
  "NontrappingFPToInt",
  "ReferenceTypes",
  "RelaxedAtomics",
  "RelaxedSIMD",
  "SIMD128",
  "SharedEverything",
  "SignExt",
  "StackSwitching",
  "Strings",
  "TailCall",
  "WideArithmetic",
];

/**
 * Finds the smallest set of features that a module is valid with, and leaves it set.
 *
 * Asks the validator: the section that names a module's features is often missing, and names what the compiler was
 * allowed to use. A validation takes a sixth of the time of reading; four are enough for most modules.
 *
 * @param module Read with all features.
 * @param bits The features of Binaryen.
 * @param wanted Features to leave set, whether needed or not.
 * @returns The features; `undefined` if the module is not valid with all of them.
 */
export function neededFeatures(module: FeatureModule, bits: FeatureBits, wanted: number): number | undefined {
  const validWith = (features: number) => {
    module.setFeatures(features);
    return module.validate() === 1;
  };
  let needed = bits.All;
  if (!validWith(needed)) return undefined;
  const drop = (list: readonly number[]) => {
    const without = complete(needed & ~list.reduce((all, bit) => all | bit, 0), bits);
    if (without === needed) return;
    if (validWith(without)) needed = without;
    else if (list.length > 1) {
      drop(list.slice(0, list.length >> 1));
      drop(list.slice(list.length >> 1));
    }
  };
  const usual = bits.SignExt | bits.NontrappingFPToInt | bits.BulkMemoryOpt;
  drop(bitsOf(bits.All & ~usual & ~wanted));
  // The last one is implied by another, which may have gone after it was tried.
  for (const bit of [...bitsOf(usual), bits.CallIndirectOverlong]) drop([bit & ~wanted]);
  module.setFeatures(needed);
  return needed;
}

/** Adds what features imply; Binaryen aborts, or finds every module invalid, without it. */
export function complete(features: number, bits: FeatureBits): number {
  const implied = (feature: number, other: number) => features & feature ? features |= other : features;
  implied(bits.GC, bits.ReferenceTypes);
  implied(bits.ReferenceTypes, bits.CallIndirectOverlong);
  implied(bits.BulkMemory, bits.BulkMemoryOpt);
  return features;
}

/** Single bits, the highest first: newer proposals build on older ones and must go before them. */
function bitsOf(features: number): number[] {
  return Array.from({ length: 31 }, (_, i) => 1 << (30 - i)).filter((bit) => features & bit);
}
