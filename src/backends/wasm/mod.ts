/**
 * The WebAssembly backend: tensors in one linear memory, kernels with 128-bit SIMD.
 *
 * @module
 */
import { checkInteger, show } from "../../check.ts";
import { checkNames, type Names } from "../../names.ts";
import type { Backend } from "../../tensor.ts";
import { blockSize } from "../block_size.ts";
import { DeviceBackend } from "../device_backend.ts";
import type { Kernels } from "../kernels.ts";
import { loadBaselinePatch, loadRelaxed } from "../load.ts";
import { Heap } from "./heap.ts";
import { fromHex } from "./hex.ts";
import { patched } from "./patch.ts";
import { replayInWasm } from "./replay.ts";
import { scratch } from "./scratch.ts";

/** Options of a WebAssembly backend. */
export interface WasmOptions {
  /**
   * The instructions that the kernels use: `"relaxed"` has fused multiply-add, `"baseline"` runs wherever there is
   * WebAssembly SIMD. Default: the best that this runtime supports.
   */
  readonly simd?: "relaxed" | "baseline" | undefined;
  /** The maximum size of the memory in bytes; at most and by default 4 GiB less a page. */
  readonly maximumBytes?: number | undefined;
}

const optionNames: Names<WasmOptions> = { simd: 0, maximumBytes: 0 };

type Instructions = NonNullable<WasmOptions["simd"]>;

interface Exports extends Kernels<number> {
  readonly replay: (start: number, end: number, slots: number) => void;
  readonly memory: WebAssembly.Memory;
  readonly __heap_base: WebAssembly.Global;
}

/** A build of the kernels by tools/build.ts. */
interface Build {
  readonly hex: string;
  readonly kinds: Readonly<Record<string, string>>;
}

/** Below 2³², so that the address after the last byte is never 0. */
const most = 2 ** 32 - 65_536;

/** The baseline is stored as its differences. */
const builds: Readonly<Record<Instructions, () => Promise<Build>>> = {
  relaxed: loadRelaxed,
  async baseline() {
    const [{ hex, kinds }, { patch }] = await Promise.all([loadRelaxed(), loadBaselinePatch()]);
    return { hex: patched(hex, patch), kinds };
  },
};

/** Functions of a single instruction, to test whether a runtime supports it: validating a whole build takes long. */
const probes: Readonly<Record<Instructions, string>> = {
  // (v128, v128, v128) -> v128: f32x4.relaxed_madd
  relaxed: "0061736d0100000001080160037b7b7b017b030201000a0d010b00200020012002fd85020b",
  // (v128) -> v128: v128.not
  baseline: "0061736d0100000001060160017b017b030201000a080106002000fd4d0b",
};

/** The compiled modules, shared by all backends. Each backend has an instance and a memory of its own. */
const compiled = new Map<Instructions, Promise<{ module: WebAssembly.Module; kinds: Build["kinds"] }>>();

/**
 * A backend of WebAssembly kernels with 128-bit SIMD, on one core. It needs no permission and no shared memory.
 *
 * @param options the instructions and the maximum size of the memory
 * @returns a new backend, with a memory of its own
 * @throws {TypeError} (as a rejection) if the runtime lacks the instructions, or on an unknown option
 * @throws {RangeError} (as a rejection) if maximumBytes is not an integer from 65,536 to 2³² - 65,536
 *
 * @example
 * ```ts
 * import { createWasm, presets, put, rwkv } from "@seqmix/seqmix";
 *
 * using backend = await createWasm();
 * const params = await put(rwkv.init(presets.matched.rwkv, 1), backend);
 * console.log(rwkv.forward(params, [[1, 2, 3]], rwkv.initialState(params)).logits.shape); // [ 1, 3, 64 ]
 * ```
 */
export async function createWasm(options: WasmOptions = {}): Promise<Backend> {
  checkNames("create wasm", options, optionNames);
  const { maximumBytes = most } = options;
  checkInteger("create wasm", "maximumBytes", maximumBytes, 65_536, most);
  const simd = supported(options.simd), { module, kinds } = await compile(simd);
  const exports = (await WebAssembly.instantiate(module)).exports as unknown as Exports;
  const { memory } = exports;
  const heap = new Heap(memory, exports.__heap_base.value, maximumBytes);
  // A view is detached when the memory grows: its length becomes 0.
  let view = new Float32Array(memory.buffer), wordView = new Uint32Array(memory.buffer);
  const floats = () => view.length === 0 ? view = new Float32Array(memory.buffer) : view;
  const words = () => wordView.length === 0 ? wordView = new Uint32Array(memory.buffer) : wordView;
  const { replay, ...kernels } = exports;
  return new DeviceBackend<number>({
    name: "wasm",
    options: { simd, maximumBytes },
    kernels,
    scratch,
    maximumBytes,
    workAtOnce: 2 ** 27,
    bytesFor: (size) => blockSize(4 * size),
    capacityFor: (size) => blockSize(4 * size) / 4,
    allocate: (size) => heap.allocate(4 * size),
    release: (address, size) => heap.release(address, 4 * size),
    upload: (address, data) => write(floats(), data, address / 4),
    download: (address, size, out) => {
      const numbers = floats().subarray(address / 4, address / 4 + size);
      // Twice as fast as `slice` for a step's logits.
      if (out === undefined) return new Float32Array(numbers);
      out.set(numbers);
      return out;
    },
    isMemory: (kernel, at) => kinds[kernel][at] === "a",
    replayer: (calls, slotCount, allocate) =>
      replayInWasm(calls, slotCount, { replay, kinds, words }, allocate),
    dispose: () => {
      view = new Float32Array();
      wordView = new Uint32Array();
    },
  });
}

/** For the few ids of a step, a loop is faster than a call of `set`. */
function write(view: Float32Array, data: ArrayLike<number>, at: number): void {
  if (data.length > 16) view.set(data, at);
  else for (let i = 0; i < data.length; i++) view[at + i] = data[i];
}

/** The requested instructions, or the best supported ones. */
function supported(simd: Instructions | undefined): Instructions {
  if (simd !== undefined && simd !== "relaxed" && simd !== "baseline") {
    throw new TypeError(
      `Cannot create wasm: simd must be "relaxed" or "baseline", current simd is ${show(simd)}`,
    );
  }
  const candidates: readonly Instructions[] = simd === undefined ? ["relaxed", "baseline"] : [simd];
  const instructions = candidates.find((name) => WebAssembly.validate(fromHex(probes[name])));
  if (instructions === undefined) {
    throw new TypeError(
      `Cannot create wasm: the runtime must have WebAssembly ${
        simd === "relaxed" ? "relaxed SIMD" : "SIMD"
      }, current ` +
        "runtime has none",
    );
  }
  return instructions;
}

function compile(instructions: Instructions): Promise<{ module: WebAssembly.Module; kinds: Build["kinds"] }> {
  let module = compiled.get(instructions);
  if (module === undefined) {
    module = builds[instructions]().then(async ({ hex, kinds }) => ({
      module: await WebAssembly.compile(fromHex(hex)),
      kinds,
    }));
    compiled.set(instructions, module);
    // A failed download may succeed the next time.
    module.catch(() => compiled.delete(instructions));
  }
  return module;
}
