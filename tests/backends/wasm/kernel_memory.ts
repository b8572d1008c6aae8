/**
 * Runs one kernel of the WebAssembly module and the reference on the same numbers, and checks all memory around them.
 */
import { assert, assertEquals } from "@std/assert";
import type { Kernels } from "../../../src/backends/kernels.ts";
import { patch } from "../../../src/backends/wasm/generated/baseline_patch.js";
import { hex as relaxed } from "../../../src/backends/wasm/generated/module_relaxed.js";
import { fromHex } from "../../../src/backends/wasm/hex.ts";
import { patched } from "../../../src/backends/wasm/patch.ts";
import { randomSource } from "../../../src/random.ts";

interface Output {
  readonly size: number;
}

/** An output of that many elements. */
export function out(size: number): Output {
  return { size };
}

/** Scratch memory of that many elements, whose contents are not checked. */
interface Scratch {
  readonly scratch: number;
}

/** Numbers that the kernel changes in place. */
interface InPlace {
  readonly inPlace: Float32Array;
}

/** Random numbers, singly and as arrays. */
export function draws(seed: number) {
  const random = randomSource(seed);
  return {
    ...random,
    normals: (size: number, scale = 1) => Float32Array.from({ length: size }, () => scale * random.normal()),
    uniforms: (size: number) => Float32Array.from({ length: size }, () => random.uniform()),
  };
}

/** The arguments of a kernel: outputs, inputs (or null), sizes and constants, scratch memory. */
export type Argument = Output | InPlace | Float32Array | number | null | Scratch;

type Exports = Kernels<number> & {
  memory: WebAssembly.Memory;
  __heap_base: WebAssembly.Global;
};

/** The bits of a NaN that no arithmetic produces. */
const poison = 0x7fc5a5a5;
const guardWords = 5;

/** An instance of the module. */
class KernelMemory {
  readonly exports: Exports;

  constructor(hex: string) {
    this.exports = new WebAssembly.Instance(new WebAssembly.Module(fromHex(hex)))
      .exports as unknown as Exports;
  }

  /**
   * Runs a kernel on poisoned outputs and returns them, after checking the guard words behind every array and that
   * inputs are unchanged. Arrays are only aligned to four bytes.
   */
  run(name: keyof Kernels<number>, args: readonly Argument[]): Float32Array[] {
    const { memory, __heap_base: base } = this.exports;
    const starts: number[] = [];
    let end = Math.ceil(base.value / 4) + guardWords;
    for (const arg of args) {
      starts.push(end);
      if (arg !== null && typeof arg === "object") end += length(arg) + guardWords;
    }
    const missing = 4 * end - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / 65536));
    const words = new Uint32Array(memory.buffer), floats = new Float32Array(memory.buffer);
    words.fill(poison, Math.ceil(base.value / 4), end);
    args.forEach((arg, i) => {
      const values = arg !== null && typeof arg === "object" && "inPlace" in arg ? arg.inPlace : arg;
      if (values instanceof Float32Array) floats.set(values, starts[i]);
    });

    const kernel = this.exports[name] as (...args: unknown[]) => void;
    kernel(...args.map((arg, i) => arg === null ? 0 : typeof arg === "number" ? arg : 4 * starts[i]));

    const outputs: Float32Array[] = [];
    args.forEach((arg, i) => {
      if (arg === null || typeof arg === "number") return;
      const after = starts[i] + length(arg);
      for (let at = after; at < after + guardWords; at++) {
        assertEquals(words[at], poison, `${name} wrote past argument ${i}`);
      }
      if ("scratch" in arg) return;
      if (arg instanceof Float32Array) {
        assertEquals(floats.slice(starts[i], after), arg, `${name} changed argument ${i}`);
      } else {
        for (let at = starts[i]; at < after; at++) {
          assert(words[at] !== poison, `${name} left output ${i} unwritten`);
        }
        outputs.push(floats.slice(starts[i], after));
      }
    });
    return outputs;
  }
}

/** Both builds by name. */
export const builds: readonly { readonly name: string; readonly kernels: KernelMemory }[] = [
  { name: "relaxed", kernels: new KernelMemory(relaxed) },
  { name: "baseline", kernels: new KernelMemory(patched(relaxed, patch)) },
];

/** The results of the reference kernel for the same arguments in double precision. */
export function expected(
  kernel: (...args: never[]) => void,
  args: readonly Argument[],
): Float64Array[] {
  const outputs: Float64Array[] = [];
  const doubles = args.map((arg) => {
    if (arg === null || typeof arg === "number") return arg;
    if ("scratch" in arg) return undefined;
    if (arg instanceof Float32Array) return Float64Array.from(arg);
    const output = "inPlace" in arg ? Float64Array.from(arg.inPlace) : new Float64Array(arg.size).fill(NaN);
    outputs.push(output);
    return output;
  });
  (kernel as (...args: unknown[]) => void)(...doubles.filter((arg) => arg !== undefined));
  return outputs;
}

/**
 * Asserts that every output of a kernel is within `tolerance` of the reference's, relative to its largest element.
 */
export function compare(
  kernels: KernelMemory,
  name: keyof Kernels<number>,
  kernel: (...args: never[]) => void,
  args: readonly Argument[],
  tolerance: number,
): void {
  const constants = args.filter((arg) => typeof arg === "number").join(", ");
  const wanted = expected(kernel, args);
  kernels.run(name, args).forEach((actual, i) => {
    assertWithin(actual, wanted[i], tolerance, `${name}(${constants}), output ${i}`);
  });
}

/** {@linkcode compare} for one build's kernels. */
export function comparing(kernels: KernelMemory) {
  return (
    name: keyof Kernels<number>,
    kernel: (...args: never[]) => void,
    args: readonly Argument[],
    tolerance = 1e-5,
  ): void => compare(kernels, name, kernel, args, tolerance);
}

/** Asserts that numbers are within `tolerance` relative to the output's largest element, or NaN where expected. */
function assertWithin(actual: Float32Array, wanted: Float64Array, tolerance: number, message: string) {
  assertEquals(actual.length, wanted.length, message);
  let scale = 0;
  for (const value of wanted) if (Math.abs(value) > scale) scale = Math.abs(value);
  for (let i = 0; i < wanted.length; i++) {
    if (Object.is(actual[i], wanted[i]) || actual[i] === wanted[i]) continue;
    const error = Math.abs(actual[i] - wanted[i]) / scale;
    assert(error <= tolerance, `${message}: element ${i} is ${actual[i]}, the reference has ${wanted[i]}`);
  }
}

function length(arg: Output | InPlace | Float32Array | Scratch): number {
  if (arg instanceof Float32Array) return arg.length;
  if ("inPlace" in arg) return arg.inPlace.length;
  return "scratch" in arg ? arg.scratch : arg.size;
}
