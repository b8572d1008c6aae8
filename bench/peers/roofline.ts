/**
 * Lower bounds on the time of a token: its matrix-vector products, reading its weights, and its multiply-adds. All
 * use the library's 128-bit instructions; native code has wider ones.
 *
 * @module
 */
import asc from "assemblyscript/asc";
import { patch } from "../../src/backends/wasm/generated/baseline_patch.js";
import { hex as relaxed } from "../../src/backends/wasm/generated/module_relaxed.js";
import { fromHex } from "../../src/backends/wasm/hex.ts";
import { patched } from "../../src/backends/wasm/patch.ts";
import { randomSource } from "../../src/random.ts";
import { type Case, type HostTensor, leavesOf } from "./case.ts";

/** The functions that measure the bounds of a case, with the number of repetitions. */
interface Roofline {
  /** The matrix-vector products of a token by the library's kernel, in one call. */
  products(times: number): void;
  /** Reads as many bytes as a token does. */
  read(times: number): void;
  /** Performs as many multiply-adds as a token does. */
  multiplyAdd(times: number): void;
  /** The bytes that a token reads: the weights, one row of the embedding, and the cache, if any. */
  readonly bytes: number;
  readonly multiplyAdds: number;
}

interface Library {
  readonly memory: WebAssembly.Memory;
  readonly __heap_base: WebAssembly.Global;
  readonly linear: CallableFunction;
}

interface Exports {
  products(table: number, count: number): void;
  readAll(from: number, bytes: number): number;
  multiplyAdd(rounds: number, factor: number): number;
}

/** Compiles the module; the result creates the functions for a case. */
export async function compileRoofline(): Promise<(subject: Case) => Promise<Roofline>> {
  const fused = WebAssembly.validate(fromHex(relaxed));
  const library = await WebAssembly.compile(fromHex(fused ? relaxed : patched(relaxed, patch)));
  const roofline = await compile(await Deno.readTextFile(new URL("roofline.as.ts", import.meta.url)), fused);
  return async (subject) => {
    const kernels = (await WebAssembly.instantiate(library)).exports as unknown as Library;
    const { memory } = kernels;
    // AssemblyScript names the import module of a file's declarations after the file.
    const imports = { env: { memory }, input: { linear: kernels.linear } };
    const exports = (await WebAssembly.instantiate(roofline, imports)).exports as unknown as Exports;
    return rooflineOf(subject, kernels, exports);
  };
}

async function compile(source: string, fused: boolean): Promise<WebAssembly.Module> {
  const { binary, error, stderr } = await asc.compileString(source, {
    optimizeLevel: 3,
    runtime: "stub",
    importMemory: true,
    enable: fused ? ["simd", "relaxed-simd"] : ["simd"],
  });
  if (error !== null || binary === null) throw new Error(`Cannot compile roofline: ${error} ${stderr}`);
  return await WebAssembly.compile(new Uint8Array(binary));
}

function rooflineOf(subject: Case, { memory, __heap_base }: Library, exports: Exports): Roofline {
  let end: number = __heap_base.value;
  const allocate = (bytes: number) => {
    const address = Math.ceil(end / 128) * 128;
    end = address + bytes;
    const missing = end - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / 65_536));
    return address;
  };
  const upload = (data: Float32Array) => {
    const address = allocate(data.byteLength);
    new Float32Array(memory.buffer, address, data.length).set(data);
    return address;
  };
  const random = randomSource(1);
  const products = matricesOf(subject).map((matrix) => {
    const [outputs, inputs] = matrix.shape;
    const vector = Float32Array.from({ length: inputs }, random.normal);
    return { matrix, vector, addresses: [allocate(4 * outputs), upload(vector), upload(matrix.data)] };
  });
  const rows = products.map(({ matrix: { shape: [outputs, inputs] }, addresses }) => [
    ...addresses,
    inputs,
    outputs,
  ]);
  const table = allocate(20 * rows.length);
  new Uint32Array(memory.buffer, table).set(rows.flat());
  const { bytes, multiplyAdds } = amountsOf(subject);
  // Written, since untouched pages share one physical page, and reading them costs almost nothing.
  const start = upload(new Float32Array(bytes / 4).fill(1));
  const roofline: Roofline = {
    bytes,
    multiplyAdds,
    products: repeat(() => exports.products(table, rows.length)),
    read: repeat(() => exports.readAll(start, bytes - bytes % 128)),
    multiplyAdd: repeat(() => exports.multiplyAdd(multiplyAdds / 48, 1e-9)),
  };
  roofline.products(1);
  for (const { matrix, vector, addresses: [y] } of products) {
    checkProduct(matrix, vector, new Float32Array(memory.buffer, y, matrix.shape[0]));
  }
  return roofline;
}

function checkProduct({ data }: HostTensor, x: Float32Array, y: Float32Array): void {
  for (const [row, value] of y.entries()) {
    const right = x.reduce((sum, factor, column) => sum + factor * data[row * x.length + column], 0);
    if (!(Math.abs(value - right) <= 1e-4 * Math.hypot(...x))) {
      throw new Error(`Cannot measure products: y[${row}] must be ${right}, current value is ${value}`);
    }
  }
}

/** All matrices that a token is multiplied by; the embedding is only looked up. */
function matricesOf({ weights }: Case): HostTensor[] {
  return leavesOf(weights).filter(([path, { shape }]) => path !== "embedding" && shape.length === 2)
    .map(([, matrix]) => matrix);
}

/** The amounts of a token. Its attention reads the cache once, and multiplies by all of it. */
function amountsOf(subject: Case): { bytes: number; multiplyAdds: number } {
  const [, channels] = subject.weights.embedding.shape;
  const weights = leavesOf(subject.weights).filter(([path]) => path !== "embedding");
  const cache = subject.mode === "cached" ? 2 * subject.weights.blocks.length * subject.length * channels : 0;
  return {
    bytes: 4 * (channels + cache + weights.reduce((sum, [, { data }]) => sum + data.length, 0)),
    multiplyAdds: cache + matricesOf(subject).reduce((sum, { data }) => sum + data.length, 0),
  };
}

const repeat = (run: () => void) => (times: number) => {
  for (let i = 0; i < times; i++) run();
};
